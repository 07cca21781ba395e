#include "server.h"

#include <grpc/grpc_security.h>
#include <stdlib.h>

/* How many calls of one method core may hand over before the poller has to ask for more. */
enum { posted_accepts = 16 };

static void on_drained(cgrpc_tag *tag, bool ok) {
  (void)ok;
  CGRPC_OWNER(tag, cgrpc_server, drained_tag)->drained = true;
}

cgrpc_server *cgrpc_server_create(cgrpc_server_callbacks callbacks, void *context, const char *const *methods,
                                  size_t method_count, const cgrpc_argument *arguments, size_t argument_count) {
  cgrpc_initialize();
  cgrpc_server *server = cgrpc_allocate(sizeof *server);
  server->callbacks = callbacks;
  server->context = context;
  server->drained_tag.run = on_drained;

  grpc_arg *list = cgrpc_arguments(arguments, argument_count, 0);
  grpc_channel_args settings = {argument_count, list};
  server->core = grpc_server_create(&settings, NULL);
  free(list);
  server->queue = grpc_completion_queue_create_for_next(NULL);
  grpc_server_register_completion_queue(server->core, server->queue, NULL);

  server->methods = cgrpc_allocate((method_count + 1) * sizeof(void *));
  server->method_count = method_count;
  for (size_t i = 0; i < method_count; i++)
    server->methods[i] = grpc_server_register_method(server->core, methods[i], NULL,
                                                     GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
  return server;
}

bool cgrpc_server_listen(cgrpc_server *server, const char *address) {
  grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
  int port = grpc_server_add_http2_port(server->core, address, credentials);
  grpc_server_credentials_release(credentials);
  return port != 0;
}

static void free_server(cgrpc_server *server) {
  grpc_server_destroy(server->core);
  grpc_completion_queue_destroy(server->queue);
  free(server->methods);
  free(server);
}

static void close_when_idle(cgrpc_server *server) {
  if (!server->drained || server->calls > 0 || server->closing) return;
  server->closing = true;
  grpc_completion_queue_shutdown(server->queue);
}

static void *poll_server(void *argument) {
  cgrpc_server *server = argument;
  while (cgrpc_queue_step(server->queue)) close_when_idle(server);
  server->callbacks.on_stopped(server->context);
  free_server(server);
  return NULL;
}

bool cgrpc_server_start(cgrpc_server *server) {
  grpc_server_start(server->core);
  /* The last index is the generic accept: without it calls of unknown methods would hang until their deadline. */
  for (size_t method = 0; method <= server->method_count; method++)
    for (int i = 0; i < posted_accepts; i++) cgrpc_call_accept(server, method);
  return cgrpc_thread_start("grpc-server", poll_server, server);
}

void cgrpc_server_discard(cgrpc_server *server) {
  cgrpc_server_shutdown(server);
  while (cgrpc_queue_step(server->queue)) close_when_idle(server);
  free_server(server);
}

void cgrpc_server_shutdown(cgrpc_server *server) {
  CGRPC_RELEASE(&server->drained_tag);
  grpc_server_shutdown_and_notify(server->core, server->queue, &server->drained_tag);
}

void cgrpc_server_cancel_all(cgrpc_server *server) { grpc_server_cancel_all_calls(server->core); }
