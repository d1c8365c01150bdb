/* A CUDA driver without a GPU: as much of the driver API as the sanity check calls, over the host's memory.
 *
 * PTXPROOF_FAKE names what is wrong with it, one word: healthy, old (compiles PTX up to 7.8), ancient (CUDA 11.8), hang, slow, wrong_copy,
 * held, denied, small (less shared memory than declared), gone (no device), second_slow, second_differs.
 * Signatures and numbers: CUDA driver API reference, 13.0.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct { unsigned grid[3], block[3], shared; void *stream, *attrs; unsigned count; } Config;
typedef struct { int ready, words; const char *name; int registers, largest; } Kernel;

static int current, allowed_shared = 49152, leave;
static int is(const char *what) { const char *s = getenv("PTXPROOF_FAKE"); return s && !strcmp(s, what); }
static uint32_t first_word(uint64_t from) { return from ? *(uint32_t *)from : 0; }

static int ok(void) { return 0; }
static int init(unsigned flags) { return is("denied") ? 800 : is("gone") ? 100 : 0; }
static int version(int *out) { *out = is("ancient") ? 11080 : 13000; return 0; }
static int count(int *out) { const char *n = getenv("PTXPROOF_FAKE_GPUS"); *out = n ? atoi(n) : 1; return 0; }
static int get(int *out, int i) { *out = i; return 0; }
static int name(char *out, int size, int device) { snprintf(out, size, "NVIDIA H200"); return 0; }
static int total(size_t *out, int device) { *out = 150ull << 30; return 0; }
static int retain(void **out, int device) { *out = (void *)(intptr_t)(device + 1); return is("held") ? 46 : 0; }
static int set_current(void *context) { current = (int)(intptr_t)context - 1; return 0; }
static int attribute(int *out, int which, int device) {
    switch (which) {
    case 75: *out = 9; return 0;      /* COMPUTE_CAPABILITY_MAJOR */
    case 76: case 20: *out = 0; return 0; /* COMPUTE_CAPABILITY_MINOR, COMPUTE_MODE */
    case 16: *out = 4; return 0;      /* MULTIPROCESSOR_COUNT */
    case 1: *out = 1024; return 0;    /* MAX_THREADS_PER_BLOCK */
    case 12: *out = 65536; return 0;  /* MAX_REGISTERS_PER_BLOCK */
    case 97: *out = 232448; return 0; /* MAX_SHARED_MEMORY_PER_BLOCK_OPTIN */
    }
    *out = 1;
    return 0;
}
static int info(size_t *spare, size_t *all) { *spare = 1 << 22; *all = 150ull << 30; return 0; }
static int alloc(uint64_t *out, size_t size) { return posix_memalign((void **)out, 512, size) ? 2 : (memset((void *)*out, 0, size), 0); }
static int managed(uint64_t *out, size_t size, unsigned flags) { return alloc(out, size); }
static int same(uint64_t *out, void *host, unsigned flags) { *out = (uint64_t)host; return 0; }
static int release(uint64_t place) { free((void *)place); return 0; }
static int copy(uint64_t to, uint64_t from, size_t size) { memcpy((void *)to, (void *)from, size); return 0; }
static int peer_copy(uint64_t to, void *a, uint64_t from, void *b, size_t size, void *stream) { return copy(to, from, size); }
static int fill32(uint64_t to, uint32_t value, size_t words) { for (size_t i = 0; i < words; i++) ((uint32_t *)to)[i] = value; return 0; }
static int event(void **out, unsigned flags) { *out = (void *)1; return 0; }
static int elapsed(float *out, void *a, void *b) {
    *out = is("slow") || (is("second_slow") && current == 1) ? 1000.0f : 0.00025f;
    return 0;
}
static int can(int *out, int a, int b) { *out = 1; return 0; }

static int load(void **out, const char *image) {
    const char *at = memcmp(image, "\177ELF", 4) ? strstr(image, ".version ") : NULL;
    int major, minor, number;
    uint32_t flags = at ? 0 : *(uint32_t *)(image + 48); /* of the ELF header: the architecture in one byte or another */
    if (!at && !memcmp(image, "\177ELF", 4) && (flags & 255) != 90 && (flags >> 8 & 255) != 90) return 209;
    if (at && (sscanf(at, ".version %d.%d\n.target sm_%d", &major, &minor, &number) != 3)) return 218;
    if (at && 10 * major + minor > (is("old") ? 78 : 90)) return 222;
    if (at && (number > 90 || (strstr(image, "sm_90f") != NULL))) return 209;
    *out = strdup(at ? image : "");
    return 0;
}
static int load_ex(void **out, const char *image, unsigned n, void *options, void *values) { return load(out, image); }
static int function(Kernel **out, void *module, const char *kernel) {
    *out = calloc(1, sizeof **out);
    (*out)->name = strdup(kernel);
    (*out)->registers = !strcmp(kernel, "live") ? 254 : 16;
    (*out)->largest = !strcmp(kernel, "live") ? 256 : 1024;
    return 0;
}
static int get_function(int *out, int which, Kernel *kernel) { *out = which == 0 ? kernel->largest : which == 4 ? kernel->registers : 0; return 0; }
static int set_function(Kernel *kernel, int which, int value) {
    if (which == 8 && value > (is("small") ? 101376 : 232448)) return 1; /* MAX_DYNAMIC_SHARED_SIZE_BYTES */
    if (which == 14) leave = value; /* NON_PORTABLE_CLUSTER_SIZE_ALLOWED */
    return 0;
}
static int launch(const Config *config, Kernel *kernel, void **parameters, void **extra) {
    uint64_t *a = parameters && parameters[0] ? parameters[0] : NULL;
    unsigned cluster = config->count ? ((unsigned *)config->attrs)[2] : 1;
    if (is("hang")) for (;;) sleep(1);
    if ((int)config->block[0] > kernel->largest || cluster > (leave ? 16u : 8u)) return 1;
    if (!strcmp(kernel->name, "touch")) fill32(a[0], 0x5a, 1);
    if (!strcmp(kernel->name, "mark")) for (uint32_t i = 0; i < config->block[0]; i++) ((uint32_t *)a[0])[i] = i * 2654435761u + 12345u;
    if (!strcmp(kernel->name, "fill")) fill32(a[0], 0x1234567, 1);
    if (!strcmp(kernel->name, "copy")) fill32(a[1], first_word(a[0]) ^ is("wrong_copy"), 1);
    if (!strcmp(kernel->name, "read")) fill32(a[1], first_word(a[0]), 1);
    if (!strcmp(kernel->name, "rate")) fill32(a[1], 0xabcd ^ (is("second_differs") && current == 1), 1);
    return 0;
}
/* As the documentation has it: rank 1 to 5, boxes to 256, strides to 8, and multiples of 16 bytes everywhere. */
static int encode(void *map, int type, unsigned rank, void *address, const uint64_t *dims, const uint64_t *strides, const uint32_t *box, const uint32_t *steps, int interleave, int swizzle, int promotion, int fill) {
    static const unsigned most[] = {256, 32, 64, 128};
    int bad = rank < 1 || rank > 5 || (uint64_t)address % 16 || box[0] % 16 || box[0] > most[swizzle];
    for (unsigned i = 0; i < rank && !bad; i++) bad = box[i] > 256 || !box[i] || steps[i] > 8 || !steps[i] || (i + 1 < rank && strides[i] % 16);
    return bad;
}

#define ENTRY(symbol, function) if (!strcmp(wanted, symbol)) { *out = (void *)function; return 0; }
int cuGetProcAddress_v2(const char *wanted, void **out, int cuda, uint64_t flags, int *status) {
    if (status) *status = 0;
    ENTRY("cuGetProcAddress", cuGetProcAddress_v2) ENTRY("cuInit", init) ENTRY("cuDriverGetVersion", version)
    ENTRY("cuDeviceGetCount", count) ENTRY("cuDeviceGet", get) ENTRY("cuDeviceGetName", name)
    ENTRY("cuDeviceTotalMem", total) ENTRY("cuDeviceGetAttribute", attribute) ENTRY("cuDevicePrimaryCtxRetain", retain)
    ENTRY("cuCtxSetCurrent", set_current) ENTRY("cuMemGetInfo", info) ENTRY("cuMemAlloc", alloc)
    ENTRY("cuMemAllocManaged", managed) ENTRY("cuMemHostAlloc", managed) ENTRY("cuMemHostGetDevicePointer", same)
    ENTRY("cuMemFree", release) ENTRY("cuMemcpyHtoD", copy) ENTRY("cuMemcpyDtoH", copy)
    ENTRY("cuMemcpyPeerAsync", peer_copy) ENTRY("cuMemsetD32", fill32) ENTRY("cuEventCreate", event)
    ENTRY("cuEventElapsedTime", elapsed) ENTRY("cuDeviceCanAccessPeer", can) ENTRY("cuModuleLoadData", load)
    ENTRY("cuModuleLoadDataEx", load_ex) ENTRY("cuModuleGetFunction", function) ENTRY("cuFuncGetAttribute", get_function)
    ENTRY("cuFuncSetAttribute", set_function) ENTRY("cuLaunchKernelEx", launch) ENTRY("cuTensorMapEncodeTiled", encode)
    *out = (void *)ok;
    return 0;
}
int cuGetProcAddress(const char *wanted, void **out, int cuda, uint64_t flags) { return cuGetProcAddress_v2(wanted, out, cuda, flags, NULL); }
