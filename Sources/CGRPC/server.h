/* Shared by server.c (the server and its poller) and call.c (one call on it). */
#ifndef CGRPC_SERVER_H
#define CGRPC_SERVER_H

#include "internal.h"

struct cgrpc_server {
  cgrpc_server_callbacks callbacks;
  void *context;
  grpc_server *core;
  grpc_completion_queue *queue;
  void **methods; /* core's handles, by index; owned by core */
  size_t method_count;
  cgrpc_tag drained_tag;
  /* Poller only. The queue may be shut down only when core is drained AND no call is left: after cancel_all core
   * reports itself drained while handlers still run, and their late batches on a closed queue would abort. */
  bool drained, closing;
  size_t calls;
};

/* The index that stands for "none of the registered methods". */
static inline size_t cgrpc_unknown_method(const cgrpc_server *server) { return server->method_count; }

/* Asks core for one more call of `method`. Poller only, or before the poller runs. */
void cgrpc_call_accept(cgrpc_server *server, size_t method);

#endif
