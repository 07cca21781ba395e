#include "server.h"

#include <stdlib.h>
#include <string.h>

/* Whether the call was finished before on_call returned. If so, "close" joins the final batch, which saves an event;
 * if not, it is watched from then on, since a handler that takes its time wants to hear of a cancellation. */
enum { phase_dispatching, phase_finished, phase_watched };

/* References: one until cgrpc_call_finish, which passes it on to the final batch, and one for every other batch under
 * way. All are dropped by events, that is on the poller, so the call is freed there. */
struct cgrpc_call {
  cgrpc_tag accepted_tag, closed_tag, sent_tag, finished_tag;
  cgrpc_server *server;
  size_t method;
  grpc_call *core;
  grpc_metadata_array metadata;
  grpc_call_details details; /* calls of unknown methods only */
  gpr_timespec deadline;
  grpc_byte_buffer *request;
  grpc_slice joined_request;
  grpc_byte_buffer *sending; /* one message of a stream */
  grpc_byte_buffer *last;    /* the message of the final batch */
  grpc_slice status_message;
  grpc_status_code status;
  int cancelled;
  bool began; /* initial metadata was sent */
  void *token;
  atomic_int phase;
  atomic_int references;
};

static bool is_unknown(const cgrpc_call *call) { return call->method == cgrpc_unknown_method(call->server); }

static void free_call(cgrpc_call *call) {
  grpc_metadata_array_destroy(&call->metadata);
  if (is_unknown(call)) grpc_call_details_destroy(&call->details);
  if (call->request != NULL) grpc_byte_buffer_destroy(call->request);
  if (call->last != NULL) grpc_byte_buffer_destroy(call->last);
  grpc_slice_unref(call->joined_request);
  grpc_slice_unref(call->status_message);
  if (call->core != NULL) grpc_call_unref(call->core);
  free(call);
}

static void release(cgrpc_call *call) {
  if (atomic_fetch_sub(&call->references, 1) != 1) return;
  cgrpc_server *server = call->server;
  if (!is_unknown(call)) server->callbacks.on_closed(call->token);
  free_call(call);
  server->calls--;
}

static void on_finished(cgrpc_tag *tag, bool ok) {
  (void)ok; /* the caller may be gone: nobody left to tell */
  release(CGRPC_OWNER(tag, cgrpc_call, finished_tag));
}

static void on_sent(cgrpc_tag *tag, bool ok) {
  cgrpc_call *call = CGRPC_OWNER(tag, cgrpc_call, sent_tag);
  grpc_byte_buffer_destroy(call->sending);
  call->sending = NULL;
  call->server->callbacks.on_sent(call->token, ok);
  release(call);
}

static void on_closed(cgrpc_tag *tag, bool ok) {
  (void)ok;
  cgrpc_call *call = CGRPC_OWNER(tag, cgrpc_call, closed_tag);
  if (call->cancelled) call->server->callbacks.on_cancel(call->token);
  release(call);
}

static grpc_op close_operation(cgrpc_call *call) {
  return (grpc_op){.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &call->cancelled};
}

static void watch_close(cgrpc_call *call) {
  grpc_op operation = close_operation(call);
  atomic_fetch_add(&call->references, 1);
  cgrpc_batch_start(call->core, &operation, 1, &call->closed_tag);
}

static void send_final(cgrpc_call *call, bool with_close) {
  grpc_op operations[4];
  size_t count = 0;
  if (!call->began) operations[count++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
  if (call->last != NULL)
    operations[count++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->last};
  operations[count++] = (grpc_op){.op = GRPC_OP_SEND_STATUS_FROM_SERVER,
                                  .data.send_status_from_server = {.status = call->status,
                                                                   .status_details = &call->status_message}};
  if (with_close) operations[count++] = close_operation(call);
  cgrpc_batch_start(call->core, operations, count, &call->finished_tag);
  /* The poller may have freed the call by now. */
}

void cgrpc_call_finish(cgrpc_call *call, int status, const char *message, size_t message_length,
                       const cgrpc_buffer *response) {
  call->status = (grpc_status_code)status;
  if (message_length > 0) call->status_message = grpc_slice_from_copied_buffer(message, message_length);
  if (response != NULL) call->last = cgrpc_buffer_finish(*response);
  int expected = phase_dispatching;
  if (atomic_compare_exchange_strong(&call->phase, &expected, phase_finished)) return; /* dispatch sends it */
  send_final(call, false);
}

void cgrpc_call_send(cgrpc_call *call, cgrpc_buffer buffer) {
  grpc_op operations[2];
  size_t count = 0;
  if (!call->began) operations[count++] = (grpc_op){.op = GRPC_OP_SEND_INITIAL_METADATA};
  call->began = true;
  call->sending = cgrpc_buffer_finish(buffer);
  operations[count++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->sending};
  atomic_fetch_add(&call->references, 1);
  cgrpc_batch_start(call->core, operations, count, &call->sent_tag);
}

static void refuse_unknown(cgrpc_call *call) {
  static const char words[] = "unknown method ";
  cgrpc_view method = cgrpc_slice_view(&call->details.method);
  call->status = GRPC_STATUS_UNIMPLEMENTED;
  call->status_message = grpc_slice_malloc(sizeof words - 1 + method.length);
  uint8_t *text = GRPC_SLICE_START_PTR(call->status_message);
  memcpy(text, words, sizeof words - 1);
  memcpy(text + sizeof words - 1, method.bytes, method.length);
  send_final(call, true);
}

static void dispatch(cgrpc_call *call) {
  if (is_unknown(call)) {
    refuse_unknown(call);
    return;
  }
  /* Only events touch the token from here on, and they come after this function: it runs on the poller. */
  call->token = call->server->callbacks.on_call(call->server->context, call, call->method);
  int expected = phase_dispatching;
  if (atomic_compare_exchange_strong(&call->phase, &expected, phase_watched))
    watch_close(call);
  else
    send_final(call, true);
}

static void on_accepted(cgrpc_tag *tag, bool ok) {
  cgrpc_call *call = CGRPC_OWNER(tag, cgrpc_call, accepted_tag);
  cgrpc_server *server = call->server;
  if (!ok || server->closing) {
    free_call(call);
    return;
  }
  size_t method = call->method;
  server->calls++;
  dispatch(call);
  cgrpc_call_accept(server, method);
}

void cgrpc_call_accept(cgrpc_server *server, size_t method) {
  cgrpc_call *call = cgrpc_allocate(sizeof *call);
  call->server = server;
  call->method = method;
  call->accepted_tag.run = on_accepted;
  call->closed_tag.run = on_closed;
  call->sent_tag.run = on_sent;
  call->finished_tag.run = on_finished;
  call->joined_request = grpc_empty_slice();
  call->status_message = grpc_empty_slice();
  atomic_init(&call->phase, phase_dispatching);
  atomic_init(&call->references, 1);
  grpc_metadata_array_init(&call->metadata);

  grpc_completion_queue *queue = server->queue;
  CGRPC_RELEASE(&call->accepted_tag);
  grpc_call_error error;
  if (is_unknown(call)) {
    grpc_call_details_init(&call->details);
    error = grpc_server_request_call(server->core, &call->core, &call->details, &call->metadata, queue, queue,
                                     &call->accepted_tag);
  } else {
    error = grpc_server_request_registered_call(server->core, server->methods[method], &call->core, &call->deadline,
                                                &call->metadata, &call->request, queue, queue, &call->accepted_tag);
  }
  if (error != GRPC_CALL_OK) free_call(call); /* the server shuts down */
}

cgrpc_view cgrpc_call_request(cgrpc_call *call) {
  return cgrpc_message_view(call->request, &call->joined_request);
}

int64_t cgrpc_call_deadline(const cgrpc_call *call) {
  return cgrpc_nanoseconds(gpr_convert_clock_type(call->deadline, GPR_CLOCK_MONOTONIC));
}

bool cgrpc_call_metadata(const cgrpc_call *call, size_t index, cgrpc_view *key, cgrpc_view *value) {
  if (index >= call->metadata.count) return false;
  *key = cgrpc_slice_view(&call->metadata.metadata[index].key);
  *value = cgrpc_slice_view(&call->metadata.metadata[index].value);
  return true;
}
