#define _GNU_SOURCE
// Function pointers cannot go through curl's checking macros.
#define CURL_DISABLE_TYPECHECK
#include "CCurl.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#define FUNCTIONS(USE)                                                                                             \
  USE(global_init) USE(multi_init) USE(multi_cleanup) USE(multi_add_handle) USE(multi_remove_handle)               \
  USE(multi_perform) USE(multi_poll) USE(multi_wakeup) USE(multi_info_read) USE(multi_setopt) USE(easy_init)       \
  USE(easy_cleanup) USE(easy_setopt) USE(easy_getinfo) USE(easy_nextheader) USE(easy_strerror) USE(slist_append)   \
  USE(slist_free_all)

static struct {
#define DECLARE(name) __typeof__(&curl_##name) name;
  FUNCTIONS(DECLARE)
#undef DECLARE
} curl;

// The words of dlerror(3) are only the thread's that asked.
static const char *dl_problem(void) {
  static char text[256];
  const char *words = dlerror();
  strncpy(text, words ? words : "libcurl cannot be loaded", sizeof text - 1);
  return text;
}

static const char *load(void) {
  void *handle = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (!handle) return dl_problem();
#define FIND(name)                                        \
  *(void **)&curl.name = dlsym(handle, "curl_" #name);    \
  if (!curl.name) return dl_problem();
  FUNCTIONS(FIND)
#undef FIND
  // exit(3) would take OpenSSL's state from under the thread that still uses it: it stays as it is (OPENSSL_init_crypto(3)).
  int (*init)(uint64_t, const void *);
  *(void **)&init = dlsym(handle, "OPENSSL_init_crypto");
  const uint64_t no_atexit = 0x00080000;  // OPENSSL_INIT_NO_ATEXIT
  if (init) (void)init(no_atexit, NULL);
  CURLcode code = curl.global_init(CURL_GLOBAL_DEFAULT);
  return code == CURLE_OK ? NULL : curl.easy_strerror(code);
}

static const char *problem;

static void load_once(void) { problem = load(); }

const char *ccurl_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load_once);
  return problem;
}

CURLM *ccurl_multi_init(void) {
  // The sockets by which libcurl wakes itself would be inherited by every program that the driver starts.
  enum { looked_at = 1024 };
  unsigned char was_open[looked_at];
  for (int fd = 0; fd < looked_at; fd++) was_open[fd] = fcntl(fd, F_GETFD) >= 0;
  CURLM *multi = curl.multi_init();
  for (int fd = 0; fd < looked_at; fd++) {
    int domain = 0;
    socklen_t length = sizeof domain;
    if (was_open[fd] || getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) != 0 || domain != AF_UNIX) continue;
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  }
  return multi;
}

CURLMcode ccurl_multi_cleanup(CURLM *multi) { return curl.multi_cleanup(multi); }
CURLMcode ccurl_multi_add(CURLM *multi, CURL *easy) { return curl.multi_add_handle(multi, easy); }
CURLMcode ccurl_multi_remove(CURLM *multi, CURL *easy) { return curl.multi_remove_handle(multi, easy); }

CURLMcode ccurl_multi_perform(CURLM *multi) {
  int running;
  return curl.multi_perform(multi, &running);
}

CURLMcode ccurl_multi_poll(CURLM *multi, int milliseconds) {
  return curl.multi_poll(multi, NULL, 0, milliseconds, NULL);
}

CURLMcode ccurl_multi_wakeup(CURLM *multi) { return curl.multi_wakeup(multi); }

CURL *ccurl_multi_next_done(CURLM *multi, CURLcode *result) {
  int left;
  CURLMsg *message;
  while ((message = curl.multi_info_read(multi, &left))) {
    if (message->msg != CURLMSG_DONE) continue;
    *result = message->data.result;
    return message->easy_handle;
  }
  return NULL;
}

CURLMcode ccurl_multi_keep(CURLM *multi, long connections) {
  return curl.multi_setopt(multi, CURLMOPT_MAXCONNECTS, connections);
}

static curl_socket_t open_socket(void *context, curlsocktype purpose, struct curl_sockaddr *address) {
  (void)context;
  (void)purpose;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

CURL *ccurl_easy_init(void) {
  CURL *easy = curl.easy_init();
  if (easy) curl.easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
  return easy;
}

void ccurl_easy_cleanup(CURL *easy) { curl.easy_cleanup(easy); }

CURLcode ccurl_set_long(CURL *easy, CURLoption option, long value) { return curl.easy_setopt(easy, option, value); }

CURLcode ccurl_set_string(CURL *easy, CURLoption option, const char *value) {
  return curl.easy_setopt(easy, option, value);
}

CURLcode ccurl_set_pointer(CURL *easy, CURLoption option, void *value) {
  return curl.easy_setopt(easy, option, value);
}

CURLcode ccurl_set_offset(CURL *easy, CURLoption option, curl_off_t value) {
  return curl.easy_setopt(easy, option, value);
}

CURLcode ccurl_set_list(CURL *easy, CURLoption option, struct curl_slist *value) {
  return curl.easy_setopt(easy, option, value);
}

CURLcode ccurl_set_blob(CURL *easy, CURLoption option, const void *bytes, size_t length) {
  struct curl_blob blob = {.data = (void *)bytes, .len = length, .flags = CURL_BLOB_COPY};
  return curl.easy_setopt(easy, option, &blob);
}

CURLcode ccurl_set_callbacks(
    CURL *easy, ccurl_on_bytes header, ccurl_on_bytes body, ccurl_on_send send, void *context) {
  CURLcode code = curl.easy_setopt(easy, CURLOPT_HEADERFUNCTION, header);
  if (!code) code = curl.easy_setopt(easy, CURLOPT_HEADERDATA, context);
  if (!code) code = curl.easy_setopt(easy, CURLOPT_WRITEFUNCTION, body);
  if (!code) code = curl.easy_setopt(easy, CURLOPT_WRITEDATA, context);
  if (!code) code = curl.easy_setopt(easy, CURLOPT_PREREQFUNCTION, send);
  if (!code) code = curl.easy_setopt(easy, CURLOPT_PREREQDATA, context);
  return code;
}

long ccurl_get_long(CURL *easy, CURLINFO what) {
  long value = 0;
  return curl.easy_getinfo(easy, what, &value) == CURLE_OK ? value : 0;
}

void *ccurl_get_private(CURL *easy) {
  void *value = NULL;
  return curl.easy_getinfo(easy, CURLINFO_PRIVATE, &value) == CURLE_OK ? value : NULL;
}

struct curl_header *ccurl_next_header(CURL *easy, struct curl_header *previous) {
  return curl.easy_nextheader(easy, CURLH_HEADER, -1, previous);
}

const char *ccurl_error(CURLcode code) { return curl.easy_strerror(code); }

struct curl_slist *ccurl_append(struct curl_slist *list, const char *text) { return curl.slist_append(list, text); }

void ccurl_free_wiped(struct curl_slist *list) {
  if (!list) return;
  for (struct curl_slist *item = list; item; item = item->next) explicit_bzero(item->data, strlen(item->data));
  curl.slist_free_all(list);
}

void ccurl_wipe(void *memory, size_t length) { explicit_bzero(memory, length); }

void ccurl_begin_thread(const char *name) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, NULL);
  pthread_setname_np(pthread_self(), name);
}
