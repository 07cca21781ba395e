// libcurl, loaded when it is first asked for: it brings some thirty libraries, which a driver without OpenStack need not
// pay for. Swift cannot call variadic functions either, so each of libcurl's that is used has a typed form here.
//
// Everything but `ccurl_load` may be called only after that succeeded. Types and constants are libcurl's own
// (libcurl-multi(3), libcurl-easy(3)).
#pragma once

#include <curl/curl.h>
#include <stddef.h>

/// Loads libcurl.so.4 and initialises it, once, whoever asks first.
/// Returns NULL, or why there is no libcurl, which stays so.
const char *ccurl_load(void);

/// What libcurl calls. `context` is that of `ccurl_set_callbacks`.
typedef size_t (*ccurl_on_bytes)(char *bytes, size_t one, size_t length, void *context);
/// A request is about to be sent, maybe again: CURL_PREREQFUNC_OK or CURL_PREREQFUNC_ABORT.
typedef int (*ccurl_on_send)(void *context, char *to, char *from, int to_port, int from_port);

CURLM *ccurl_multi_init(void);
CURLMcode ccurl_multi_cleanup(CURLM *multi);
CURLMcode ccurl_multi_add(CURLM *multi, CURL *easy);
CURLMcode ccurl_multi_remove(CURLM *multi, CURL *easy);
CURLMcode ccurl_multi_perform(CURLM *multi);
/// Waits for sockets, a wake-up or `milliseconds`.
CURLMcode ccurl_multi_poll(CURLM *multi, int milliseconds);
/// The one function that other threads may call.
CURLMcode ccurl_multi_wakeup(CURLM *multi);
/// The next transfer that has ended, and its result; NULL: none.
CURL *ccurl_multi_next_done(CURLM *multi, CURLcode *result);
/// The most idle connections that are kept.
CURLMcode ccurl_multi_keep(CURLM *multi, long connections);

/// A handle whose sockets are closed when another program is executed.
CURL *ccurl_easy_init(void);
void ccurl_easy_cleanup(CURL *easy);
CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value);
/// Also for NULL. libcurl copies all strings but CURLOPT_POSTFIELDS.
CURLcode ccurl_set_string(CURL *easy, CURLoption option, const char *value);
/// For CURLOPT_POSTFIELDS, CURLOPT_ERRORBUFFER and CURLOPT_PRIVATE, which must stay until the handle is gone.
CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *value);
CURLcode ccurl_set_offset(CURL *easy, CURLoption option, curl_off_t value);
CURLcode ccurl_set_list(CURL *easy, CURLoption option, struct curl_slist *value);
/// libcurl copies the bytes.
CURLcode ccurl_set_blob(CURL *easy, CURLoption option, const void *bytes, size_t length);
CURLcode ccurl_set_callbacks(
    CURL *easy, ccurl_on_bytes header, ccurl_on_bytes body, ccurl_on_send send, void *context);
long ccurl_get_long(CURL *easy, CURLINFO what);
void *ccurl_get_private(CURL *easy);
/// The header after `previous` (NULL: the first) of the final answer; trailers are none.
struct curl_header *ccurl_next_header(CURL *easy, struct curl_header *previous);
const char *ccurl_error(CURLcode code);

/// A list with one more string, which is copied; NULL: no memory, and `list` is as it was.
struct curl_slist *ccurl_append(struct curl_slist *list, const char *text);
/// Overwrites and frees a list.
void ccurl_free_wiped(struct curl_slist *list);
/// explicit_bzero(3).
void ccurl_wipe(void *memory, size_t length);
/// Names the calling thread, and leaves all signals to others: a broken connection's is for nobody.
void ccurl_begin_thread(const char *name);
