#define _GNU_SOURCE
#include "CLVM.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

typedef void (*log_function)(int level, const char *file, int line, int error, const char *message);

static struct {
  void *library, *handle;
  int (*run)(void *handle, const char *line);
  void (*stop)(void *handle);
  void (*set_log)(log_function);
  clvm_log log;
  /// Files in memory that take what is printed, by descriptor 1 and 2.
  int printed[2];
} lvm = {.printed = {-1, -1}};

static void forward(int level, const char *file, int line, int error, const char *message) {
  (void)file, (void)line, (void)error;
  if (lvm.log) lvm.log(level, message);
}

/// Before it suspends a device LVM makes sure of memory, 8 MiB by default (lvm.conf(5), reserved_memory), and gives it back
/// afterwards. What the heap keeps need not be asked of the kernel, page by page, for the next command.
static const int kept_heap = 32 << 20;

const char *clvm_start(clvm_log log) {
  mallopt(M_TRIM_THRESHOLD, kept_heap);
  lvm.library = dlopen("liblvm2cmd.so.2.03", RTLD_NOW | RTLD_LOCAL);
  if (!lvm.library) return dlerror();
  void *(*start)(void) = (void *(*)(void))dlsym(lvm.library, "lvm2_init");
  lvm.set_log = (void (*)(log_function))dlsym(lvm.library, "lvm2_log_fn");
  lvm.run = (int (*)(void *, const char *))dlsym(lvm.library, "lvm2_run");
  lvm.stop = (void (*)(void *))dlsym(lvm.library, "lvm2_exit");
  if (!start || !lvm.set_log || !lvm.run || !lvm.stop) return "liblvm2cmd lacks a function that is needed";
  lvm.log = log;
  lvm.set_log(forward);
  lvm.handle = start();
  return lvm.handle ? NULL : "LVM cannot be initialised";
}

int clvm_run(const char *line) { return lvm.handle ? lvm.run(lvm.handle, line) : CLVM_INIT_FAILED; }

int clvm_run_printing(const char *line, int *output, int *errors) {
  int kept[2] = {-1, -1}, status = CLVM_INIT_FAILED;
  if (!lvm.handle) return status;
  fflush(NULL);
  bool ready = true;
  for (int i = 0; i < 2; i++) {
    if (lvm.printed[i] == -1) lvm.printed[i] = memfd_create("lvm", MFD_CLOEXEC);
    kept[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
    ready = ready && kept[i] != -1 && ftruncate(lvm.printed[i], 0) == 0 && lseek(lvm.printed[i], 0, SEEK_SET) == 0 &&
            dup2(lvm.printed[i], i + 1) == i + 1;
  }
  if (ready) {
    lvm.set_log(NULL);
    status = lvm.run(lvm.handle, line);
    fflush(NULL);
    lvm.set_log(forward);
  }
  for (int i = 0; i < 2; i++) {
    if (kept[i] == -1) continue;
    dup2(kept[i], i + 1);
    close(kept[i]);
  }
  *output = lvm.printed[0];
  *errors = lvm.printed[1];
  return status;
}

void clvm_stop(void) {
  if (lvm.handle) lvm.stop(lvm.handle);
  lvm.handle = NULL;
}

__attribute__((format(printf, 5, 6))) static void discard(
    int level, const char *file, int line, int error, const char *format, ...) {
  (void)level, (void)file, (void)line, (void)error, (void)format;
}

void clvm_quiet_device_mapper(void) { dm_log_with_errno_init(discard); }
