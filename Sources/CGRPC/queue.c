#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <stdlib.h>

bool cgrpc_queue_step(grpc_completion_queue *queue) {
  grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
  if (event.type == GRPC_QUEUE_SHUTDOWN) return false;
  if (event.type != GRPC_OP_COMPLETE) return true;
  cgrpc_tag *tag = event.tag;
  CGRPC_ACQUIRE(tag);
  tag->run(tag, event.success != 0);
  return true;
}

void cgrpc_batch_start(grpc_call *call, const grpc_op *operations, size_t count, cgrpc_tag *tag) {
  CGRPC_RELEASE(tag);
  grpc_call_error error = grpc_call_start_batch(call, operations, count, tag, NULL);
  if (error != GRPC_CALL_OK) {
    gpr_log(GPR_ERROR, "ill-formed batch: %s", grpc_call_error_to_string(error));
    abort();
  }
}

typedef struct {
  const char *name;
  void *(*body)(void *);
  void *context;
} thread_start;

static void *run_thread(void *argument) {
  thread_start start = *(thread_start *)argument;
  free(argument);
  pthread_setname_np(pthread_self(), start.name);
  return start.body(start.context);
}

bool cgrpc_thread_start(const char *name, void *(*body)(void *), void *context) {
  thread_start *start = cgrpc_allocate(sizeof *start);
  *start = (thread_start){name, body, context};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_t thread;
  int error = pthread_create(&thread, &attributes, run_thread, start);
  pthread_attr_destroy(&attributes);
  if (error == 0) return true;
  free(start);
  errno = error;
  return false;
}
