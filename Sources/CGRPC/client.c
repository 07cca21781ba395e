#include "client.h"

#include <grpc/grpc_security.h>
#include <grpc/support/log.h>
#include <pthread.h>
#include <stdlib.h>

static grpc_completion_queue *queue;

static void *poll_clients(void *argument) {
  while (cgrpc_queue_step(argument)) {
  }
  return NULL;
}

static void start_queue(void) {
  cgrpc_initialize();
  queue = grpc_completion_queue_create_for_next(NULL);
  if (cgrpc_thread_start("grpc-client", poll_clients, queue)) return;
  gpr_log(GPR_ERROR, "cannot create the thread of the gRPC clients");
  abort();
}

grpc_completion_queue *cgrpc_client_queue(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, start_queue);
  return queue;
}

cgrpc_client *cgrpc_client_create(const char *target, const cgrpc_argument *arguments, size_t argument_count) {
  cgrpc_client_queue();
  cgrpc_client *client = cgrpc_allocate(sizeof *client);
  atomic_init(&client->references, 1);
  grpc_arg *list = cgrpc_arguments(arguments, argument_count, 1);
  /* Core would otherwise send the socket's path as the authority, which some servers refuse. */
  list[argument_count] = (grpc_arg){
      .type = GRPC_ARG_STRING, .key = (char *)GRPC_ARG_DEFAULT_AUTHORITY, .value.string = (char *)"localhost"};
  grpc_channel_args settings = {argument_count + 1, list};
  grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
  client->channel = grpc_channel_create(target, credentials, &settings);
  grpc_channel_credentials_release(credentials);
  free(list);
  return client;
}

void cgrpc_client_retain(cgrpc_client *client) { atomic_fetch_add(&client->references, 1); }

void cgrpc_client_release(cgrpc_client *client) {
  if (atomic_fetch_sub(&client->references, 1) != 1) return;
  grpc_channel_destroy(client->channel);
  free(client);
}

void cgrpc_client_destroy(cgrpc_client *client) { cgrpc_client_release(client); }

bool cgrpc_client_is_backing_off(cgrpc_client *client) {
  return grpc_channel_check_connectivity_state(client->channel, 0) == GRPC_CHANNEL_TRANSIENT_FAILURE;
}
