/* A small C face on gRPC core: one server kind, one client kind, byte buffers in and out.
 *
 * Threads. Every server owns one completion queue and one poller thread; all clients of the process share another
 * pair. Callbacks run on the poller they belong to and must not block it.
 *
 * Ownership is told at each type and function. "Consumes" means that the callee frees, whatever the outcome.
 */
#ifndef CGRPC_H
#define CGRPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- library ---- */

/* Starts gRPC core and ignores SIGPIPE (core writes to sockets whose peer may be gone). Idempotent, thread-safe. */
void cgrpc_initialize(void);

/* severity: 0 debug, 1 info, 2 error. The strings are valid during the call only. May run on any thread. */
typedef void (*cgrpc_log_function)(int severity, const char *file, int line, const char *message);

/* Sends core's own log lines to `function`. */
void cgrpc_set_log_function(cgrpc_log_function function);

/* Now on the clock of deadlines, in nanoseconds. */
int64_t cgrpc_now(void);

/* The deadline of a call that has none. */
#define CGRPC_NO_DEADLINE INT64_MAX

/* Tells ThreadSanitizer that a lock whose code it cannot see was taken, or is about to be let go. Else nothing. */
void cgrpc_lock_taken(const void *address);
void cgrpc_lock_leaving(const void *address);

/* ---- bytes ---- */

/* Bytes owned by somebody else. `bytes` is NULL when there is no message at all (not: an empty one). */
typedef struct {
  const uint8_t *bytes;
  size_t length;
} cgrpc_view;

/* An outgoing message being built: fill bytes[0..<length], then hand it to exactly one consuming function. */
typedef struct {
  void *owner;
  uint8_t *bytes;
  size_t length;
} cgrpc_buffer;

cgrpc_buffer cgrpc_buffer_create(size_t length);

/* Consumes a buffer that will not be sent. */
void cgrpc_buffer_discard(cgrpc_buffer buffer);

/* An integer setting of a server or a channel. */
typedef struct {
  const char *key;
  int value;
} cgrpc_argument;

/* ---- server ---- */

/* Owned by its poller thread from cgrpc_server_start on; freed by it right after on_stopped. Before the start it
 * belongs to its creator, who frees it with cgrpc_server_discard. */
typedef struct cgrpc_server cgrpc_server;

/* One call on the server. Lives until it was finished by cgrpc_call_finish and core reported all of its events; then
 * on_closed runs, after which the pointer is dead. */
typedef struct cgrpc_call cgrpc_call;

typedef struct {
  /* A call of the method with index `method` came in with its request. The result, a token, goes to the callbacks
   * below. The call may be finished during or after this callback, from any thread, exactly once. */
  void *(*on_call)(void *context, cgrpc_call *call, size_t method);
  /* The caller cancelled, its deadline passed, it died, or the server cancels all calls. The call still has to be
   * finished. At most once. */
  void (*on_cancel)(void *token);
  /* The message of the last cgrpc_call_send left (or, not ok, never will). */
  void (*on_sent)(void *token, bool ok);
  /* The call is over and about to be freed: the token is given back. */
  void (*on_closed)(void *token);
  /* The server stopped and is about to be freed. Last callback. */
  void (*on_stopped)(void *context);
} cgrpc_server_callbacks;

/* `methods` are the full paths, such as "/package.Service/Method"; everything is copied. */
cgrpc_server *cgrpc_server_create(cgrpc_server_callbacks callbacks, void *context, const char *const *methods,
                                  size_t method_count, const cgrpc_argument *arguments, size_t argument_count);

/* Binds `address` ("unix:" and a percent-encoded path). False when core refused; its log says why. */
bool cgrpc_server_listen(cgrpc_server *server, const char *address);

/* Begins to serve on a thread of its own. False when the thread could not be created (errno); the server then still
 * belongs to the caller. */
bool cgrpc_server_start(cgrpc_server *server);

/* Frees a server that was never started. */
void cgrpc_server_discard(cgrpc_server *server);

/* Stops accepting, tells clients to go away, lets calls under way finish. on_stopped follows when none is left.
 * Once only. */
void cgrpc_server_shutdown(cgrpc_server *server);

/* Cancels all calls under way. After cgrpc_server_shutdown only. */
void cgrpc_server_cancel_all(cgrpc_server *server);

/* ---- call on the server ---- */

/* The request. Valid until the call is finished. First use must not race with another use. */
cgrpc_view cgrpc_call_request(cgrpc_call *call);

/* When the caller gives up, on the clock of cgrpc_now, or CGRPC_NO_DEADLINE. */
int64_t cgrpc_call_deadline(const cgrpc_call *call);

/* The metadata pair at `index`; false past the end. Values of keys that end in "-bin" are raw bytes. The views are
 * valid until on_closed. */
bool cgrpc_call_metadata(const cgrpc_call *call, size_t index, cgrpc_view *key, cgrpc_view *value);

/* Sends one message of a response stream; consumes the buffer. on_sent follows. At most one may be under way, and
 * sends and the finish of one call must not run at the same time. */
void cgrpc_call_send(cgrpc_call *call, cgrpc_buffer buffer);

/* Ends the call with a status and, when `response` is not NULL, a last message, which is consumed. `message` is
 * UTF-8, copied. The call may be freed before this function returns. */
void cgrpc_call_finish(cgrpc_call *call, int status, const char *message, size_t message_length,
                       const cgrpc_buffer *response);

/* ---- client ---- */

/* A channel to one server. Owned by its creator; it disconnects when it was destroyed and its last call is gone. */
typedef struct cgrpc_client cgrpc_client;

cgrpc_client *cgrpc_client_create(const char *target, const cgrpc_argument *arguments, size_t argument_count);
void cgrpc_client_destroy(cgrpc_client *client);

/* True when the last attempt to connect failed, so that the channel now waits before it tries again. */
bool cgrpc_client_is_backing_off(cgrpc_client *client);

/* A call of a client: counted references, one of them returned by cgrpc_client_call_create and given back by
 * cgrpc_client_call_release; the operations under way hold their own. */
typedef struct cgrpc_client_call cgrpc_client_call;

/* Each callback answers one operation with the token given to that operation. */
typedef void (*cgrpc_client_callback)(void *token);

/* A call that was not started yet. `deadline` is on the clock of cgrpc_now. */
cgrpc_client_call *cgrpc_client_call_create(cgrpc_client *client, const char *path, int64_t deadline,
                                            bool wait_for_ready);
void cgrpc_client_call_release(cgrpc_client_call *call);

/* Adds metadata before the start; copied. False when the key or the value is not allowed in a header. */
bool cgrpc_client_call_add_metadata(cgrpc_client_call *call, const char *key, cgrpc_view value);

/* Sends the request (consumed) and receives one message and the status; `on_done` runs once with all of it. */
void cgrpc_client_call_unary(cgrpc_client_call *call, cgrpc_buffer request, cgrpc_client_callback on_done,
                             void *token);

/* Sends the request (consumed) of a call whose responses are fetched one by one; `on_status` runs once, at the end. */
void cgrpc_client_call_stream(cgrpc_client_call *call, cgrpc_buffer request, cgrpc_client_callback on_status,
                              void *token);

/* Asks for the next message of a stream. At most one may be under way. Frees the message before. When `on_received`
 * runs, cgrpc_client_call_response has the message, or none at the end of the stream. */
void cgrpc_client_call_receive(cgrpc_client_call *call, cgrpc_client_callback on_received, void *token);

/* Any thread, any time, any number of times. */
void cgrpc_client_call_cancel(cgrpc_client_call *call);

/* The last message received; valid until the next receive or the release. */
cgrpc_view cgrpc_client_call_response(cgrpc_client_call *call);

/* The status, once on_done or on_status ran; `message` is valid until the release. */
int cgrpc_client_call_status(const cgrpc_client_call *call, cgrpc_view *message);

#endif
