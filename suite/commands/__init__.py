"""The subcommands of `python -m suite`, one a module."""
