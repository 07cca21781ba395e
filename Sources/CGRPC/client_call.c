#include "client.h"

#include <stdlib.h>
#include <string.h>

/* An operation under way: what to run when its event comes. */
typedef struct {
  cgrpc_tag tag;
  cgrpc_client_call *call;
  cgrpc_client_callback callback;
  void *token;
} operation;

struct cgrpc_client_call {
  operation start, status_watch, receive;
  cgrpc_client *client; /* retained */
  grpc_call *core;
  grpc_metadata *metadata; /* slices owned */
  size_t metadata_count;
  grpc_metadata_array initial, trailing;
  grpc_byte_buffer *request, *response;
  grpc_slice joined_response;
  grpc_status_code status;
  grpc_slice status_message;
  uint32_t flags;
  atomic_int references;
};

static void run_operation(cgrpc_tag *tag, bool ok) {
  (void)ok; /* a failed call tells so by its status */
  operation *done = CGRPC_OWNER(tag, operation, tag);
  cgrpc_client_call *call = done->call;
  if (done->callback != NULL) done->callback(done->token);
  cgrpc_client_call_release(call);
}

static void start_operation(cgrpc_client_call *call, operation *operation, const grpc_op *operations, size_t count,
                            cgrpc_client_callback callback, void *token) {
  operation->tag.run = run_operation;
  operation->call = call;
  operation->callback = callback;
  operation->token = token;
  atomic_fetch_add(&call->references, 1);
  cgrpc_batch_start(call->core, operations, count, &operation->tag);
}

cgrpc_client_call *cgrpc_client_call_create(cgrpc_client *client, const char *path, int64_t deadline,
                                            bool wait_for_ready) {
  cgrpc_client_call *call = cgrpc_allocate(sizeof *call);
  cgrpc_client_retain(client);
  call->client = client;
  grpc_slice method = grpc_slice_from_copied_string(path);
  call->core = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, cgrpc_client_queue(), method,
                                        NULL, cgrpc_timespec(deadline), NULL);
  grpc_slice_unref(method);
  if (wait_for_ready)
    call->flags = GRPC_INITIAL_METADATA_WAIT_FOR_READY | GRPC_INITIAL_METADATA_WAIT_FOR_READY_EXPLICITLY_SET;
  grpc_metadata_array_init(&call->initial);
  grpc_metadata_array_init(&call->trailing);
  call->joined_response = grpc_empty_slice();
  call->status_message = grpc_empty_slice();
  atomic_init(&call->references, 1);
  return call;
}

void cgrpc_client_call_release(cgrpc_client_call *call) {
  if (atomic_fetch_sub(&call->references, 1) != 1) return;
  for (size_t i = 0; i < call->metadata_count; i++) {
    grpc_slice_unref(call->metadata[i].key);
    grpc_slice_unref(call->metadata[i].value);
  }
  free(call->metadata);
  grpc_metadata_array_destroy(&call->initial);
  grpc_metadata_array_destroy(&call->trailing);
  if (call->request != NULL) grpc_byte_buffer_destroy(call->request);
  if (call->response != NULL) grpc_byte_buffer_destroy(call->response);
  grpc_slice_unref(call->joined_response);
  grpc_slice_unref(call->status_message);
  grpc_call_unref(call->core);
  cgrpc_client_release(call->client);
  free(call);
}

bool cgrpc_client_call_add_metadata(cgrpc_client_call *call, const char *key, cgrpc_view value) {
  grpc_metadata pair = {.key = grpc_slice_from_copied_string(key),
                        .value = grpc_slice_from_copied_buffer((const char *)value.bytes, value.length)};
  bool legal = grpc_header_key_is_legal(pair.key) &&
               (grpc_is_binary_header(pair.key) || grpc_header_nonbin_value_is_legal(pair.value));
  grpc_metadata *longer =
      legal ? realloc(call->metadata, (call->metadata_count + 1) * sizeof *call->metadata) : NULL;
  if (longer == NULL) {
    grpc_slice_unref(pair.key);
    grpc_slice_unref(pair.value);
    return false;
  }
  call->metadata = longer;
  call->metadata[call->metadata_count++] = pair;
  return true;
}

/* The part that both kinds of calls begin with. */
static size_t request_operations(cgrpc_client_call *call, cgrpc_buffer request, grpc_op *operations) {
  call->request = cgrpc_buffer_finish(request);
  operations[0] = (grpc_op){
      .op = GRPC_OP_SEND_INITIAL_METADATA,
      .flags = call->flags,
      .data.send_initial_metadata = {.count = call->metadata_count, .metadata = call->metadata}};
  operations[1] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->request};
  operations[2] = (grpc_op){.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT};
  operations[3] = (grpc_op){.op = GRPC_OP_RECV_INITIAL_METADATA,
                            .data.recv_initial_metadata.recv_initial_metadata = &call->initial};
  return 4;
}

static grpc_op status_operation(cgrpc_client_call *call) {
  return (grpc_op){.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
                   .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                                  .status = &call->status,
                                                  .status_details = &call->status_message}};
}

static grpc_op message_operation(cgrpc_client_call *call) {
  return (grpc_op){.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->response};
}

void cgrpc_client_call_unary(cgrpc_client_call *call, cgrpc_buffer request, cgrpc_client_callback on_done,
                             void *token) {
  grpc_op operations[6];
  size_t count = request_operations(call, request, operations);
  operations[count++] = message_operation(call);
  operations[count++] = status_operation(call);
  start_operation(call, &call->start, operations, count, on_done, token);
}

void cgrpc_client_call_stream(cgrpc_client_call *call, cgrpc_buffer request, cgrpc_client_callback on_status,
                              void *token) {
  grpc_op operations[4];
  size_t count = request_operations(call, request, operations);
  start_operation(call, &call->start, operations, count, NULL, NULL);
  grpc_op status = status_operation(call);
  start_operation(call, &call->status_watch, &status, 1, on_status, token);
}

void cgrpc_client_call_receive(cgrpc_client_call *call, cgrpc_client_callback on_received, void *token) {
  if (call->response != NULL) grpc_byte_buffer_destroy(call->response);
  call->response = NULL;
  grpc_op operation = message_operation(call);
  start_operation(call, &call->receive, &operation, 1, on_received, token);
}

void cgrpc_client_call_cancel(cgrpc_client_call *call) { grpc_call_cancel(call->core, NULL); }

cgrpc_view cgrpc_client_call_response(cgrpc_client_call *call) {
  return cgrpc_message_view(call->response, &call->joined_response);
}

int cgrpc_client_call_status(const cgrpc_client_call *call, cgrpc_view *message) {
  *message = cgrpc_slice_view(&call->status_message);
  return (int)call->status;
}
