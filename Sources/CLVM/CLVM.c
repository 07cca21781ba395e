#include "CLVM.h"

#include <dlfcn.h>

typedef void (*log_function)(int level, const char *file, int line, int error, const char *message);

static struct {
  void *library, *handle;
  int (*run)(void *handle, const char *line);
  void (*stop)(void *handle);
  clvm_log log;
} lvm;

static void forward(int level, const char *file, int line, int error, const char *message) {
  (void)file, (void)line, (void)error;
  if (lvm.log) lvm.log(level, message);
}

const char *clvm_start(clvm_log log) {
  lvm.library = dlopen("liblvm2cmd.so.2.03", RTLD_NOW | RTLD_LOCAL);
  if (!lvm.library) return dlerror();
  void *(*start)(void) = (void *(*)(void))dlsym(lvm.library, "lvm2_init");
  void (*set_log)(log_function) = (void (*)(log_function))dlsym(lvm.library, "lvm2_log_fn");
  lvm.run = (int (*)(void *, const char *))dlsym(lvm.library, "lvm2_run");
  lvm.stop = (void (*)(void *))dlsym(lvm.library, "lvm2_exit");
  if (!start || !set_log || !lvm.run || !lvm.stop) return "liblvm2cmd lacks a function that is needed";
  lvm.log = log;
  set_log(forward);
  lvm.handle = start();
  return lvm.handle ? NULL : "LVM cannot be initialised";
}

int clvm_run(const char *line) { return lvm.handle ? lvm.run(lvm.handle, line) : CLVM_INIT_FAILED; }

void clvm_stop(void) {
  if (lvm.handle) lvm.stop(lvm.handle);
  lvm.handle = NULL;
}

__attribute__((format(printf, 5, 6))) static void discard(
    int level, const char *file, int line, int error, const char *format, ...) {
  (void)level, (void)file, (void)line, (void)error, (void)format;
}

void clvm_quiet_device_mapper(void) { dm_log_with_errno_init(discard); }
