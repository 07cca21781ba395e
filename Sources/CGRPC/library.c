#include "internal.h"

#include <grpc/support/log.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

static _Atomic(cgrpc_log_function) log_function;

static void forward_log(gpr_log_func_args *line) {
  cgrpc_log_function function = atomic_load(&log_function);
  if (function != NULL) function((int)line->severity, line->file, line->line, line->message);
}

static void initialize(void) {
  signal(SIGPIPE, SIG_IGN);
  /* Never undone: servers and clients come and go, the library stays until the process ends. */
  grpc_init();
}

void cgrpc_initialize(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, initialize);
}

void cgrpc_set_log_function(cgrpc_log_function function) {
  atomic_store(&log_function, function);
  gpr_set_log_function(forward_log);
}

void *cgrpc_allocate(size_t size) {
  void *memory = calloc(1, size);
  if (memory == NULL) abort();
  return memory;
}

grpc_arg *cgrpc_arguments(const cgrpc_argument *arguments, size_t count, size_t extra) {
  grpc_arg *result = cgrpc_allocate((count + extra + 1) * sizeof(grpc_arg));
  for (size_t i = 0; i < count; i++) {
    result[i].type = GRPC_ARG_INTEGER;
    result[i].key = (char *)arguments[i].key; /* core copies it and never writes to it */
    result[i].value.integer = arguments[i].value;
  }
  return result;
}

int64_t cgrpc_nanoseconds(gpr_timespec time) {
  if (time.tv_sec >= INT64_MAX / GPR_NS_PER_SEC) return CGRPC_NO_DEADLINE;
  if (time.tv_sec <= INT64_MIN / GPR_NS_PER_SEC) return INT64_MIN;
  return time.tv_sec * GPR_NS_PER_SEC + time.tv_nsec;
}

gpr_timespec cgrpc_timespec(int64_t nanoseconds) {
  if (nanoseconds == CGRPC_NO_DEADLINE) return gpr_inf_future(GPR_CLOCK_MONOTONIC);
  gpr_timespec time = gpr_time_from_nanos(nanoseconds, GPR_TIMESPAN);
  time.clock_type = GPR_CLOCK_MONOTONIC;
  return time;
}

int64_t cgrpc_now(void) { return cgrpc_nanoseconds(gpr_now(GPR_CLOCK_MONOTONIC)); }

void cgrpc_lock_taken(const void *address) { CGRPC_ACQUIRE((void *)address); }
void cgrpc_lock_leaving(const void *address) { CGRPC_RELEASE((void *)address); }
