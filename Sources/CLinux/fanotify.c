#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

int cl_watch_closes(const char *directory) {
  int fd = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC);
  if (fd == -1) return -errno;
  uint64_t what = FAN_CLOSE_WRITE | FAN_CLOSE_NOWRITE | FAN_EVENT_ON_CHILD;
  if (fanotify_mark(fd, FAN_MARK_ADD | FAN_MARK_ONLYDIR, what, AT_FDCWD, directory) == -1) {
    int error = errno;
    close(fd);
    return -error;
  }
  return fd;
}

/// The last component of the file's path, without what the kernel adds to that of a removed file.
static void name_of(int fd, char *name, size_t size) {
  char link[32], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  const char *last = strrchr(path, '/');
  snprintf(name, size, "%s", last ? last + 1 : path);
  char *removed = strstr(name, " (deleted)");
  if (removed) *removed = 0;
}

int cl_read_closes(int fd, struct cl_close *events, int capacity) {

  struct fanotify_event_metadata buffer[64];
  size_t most = (size_t)(capacity < 64 ? capacity : 64);
  ssize_t length = read(fd, buffer, most * sizeof *buffer);
  if (length == -1) return errno == EAGAIN ? 0 : -errno;
  int count = 0;
  for (struct fanotify_event_metadata *event = buffer; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length)) {
    struct cl_close *out = &events[count++];
    *out = (struct cl_close){.process = event->pid};
    if (event->mask & FAN_Q_OVERFLOW || event->fd < 0) {
      out->lost = true;
      continue;
    }
    name_of(event->fd, out->name, sizeof out->name);
    close(event->fd);
  }
  return count;
}
