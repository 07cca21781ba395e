#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <uuid/uuid.h>

#define RESULT(expression) ((expression) == -1 ? -errno : 0)

const int cl_o_path = O_PATH;
const int cl_o_direct = O_DIRECT;

int cl_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
  long fd = syscall(SYS_openat2, directory, path, &how, sizeof how);
  return fd == -1 ? -errno : (int)fd;
}

int cl_open(const char *path, int flags, mode_t mode) {
  int fd = open(path, flags | O_CLOEXEC, mode);
  return fd == -1 ? -errno : fd;
}

int cl_rename_noreplace(const char *from, const char *to) {
  return RESULT(renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE));
}

int cl_rename_exchange(const char *a, const char *b) {
  return RESULT(renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE));
}

int cl_allocate(int fd, int64_t offset, int64_t length) { return RESULT(fallocate(fd, 0, offset, length)); }

int cl_punch_hole(int fd, int64_t offset, int64_t length) {
  return RESULT(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
}

int64_t cl_copy_range(int from, int64_t from_offset, int to, int64_t to_offset, size_t length) {
  ssize_t copied = copy_file_range(from, &from_offset, to, &to_offset, length, 0);
  return copied == -1 ? -errno : copied;
}

int64_t cl_seek_data(int fd, int64_t offset) {
  off_t found = lseek(fd, offset, SEEK_DATA);
  return found == -1 ? -errno : found;
}

int64_t cl_seek_hole(int fd, int64_t offset) {
  off_t found = lseek(fd, offset, SEEK_HOLE);
  return found == -1 ? -errno : found;
}

int cl_clone(int to, int from) { return RESULT(ioctl(to, FICLONE, from)); }

int cl_clone_range(int to, int64_t to_offset, int from, int64_t from_offset, int64_t length) {
  struct file_clone_range range = {
      .src_fd = from,
      .src_offset = (uint64_t)from_offset,
      .src_length = (uint64_t)length,
      .dest_offset = (uint64_t)to_offset};
  return RESULT(ioctl(to, FICLONERANGE, &range));
}

enum { MOST_EXTENTS = 512 };

int cl_fiemap(int fd, uint64_t start, uint64_t length, struct cl_extent *extents, uint32_t capacity) {
  // On the stack (28 KiB): bounded, and nothing to free on any path.
  union {
    struct fiemap map;
    uint8_t bytes[sizeof(struct fiemap) + MOST_EXTENTS * sizeof(struct fiemap_extent)];
  } request;
  if (capacity > MOST_EXTENTS) capacity = MOST_EXTENTS;
  memset(&request.map, 0, sizeof request.map);
  request.map.fm_start = start;
  request.map.fm_length = length;
  request.map.fm_flags = FIEMAP_FLAG_SYNC;
  request.map.fm_extent_count = capacity;
  if (ioctl(fd, FS_IOC_FIEMAP, &request.map) == -1) return -errno;
  uint32_t found = request.map.fm_mapped_extents;
  for (uint32_t i = 0; i < found; i++) {
    const struct fiemap_extent *extent = &request.map.fm_extents[i];
    extents[i] = (struct cl_extent){extent->fe_logical, extent->fe_physical, extent->fe_length, extent->fe_flags};
  }
  return (int)found;
}

static int stat_with(int directory, const char *path, int flags, struct cl_stat *out) {
  struct statx s;
  if (statx(directory, path, flags | AT_NO_AUTOMOUNT, STATX_BASIC_STATS | STATX_MNT_ID, &s) == -1) return -errno;
  *out = (struct cl_stat){
      .mode = s.stx_mode,
      .uid = s.stx_uid,
      .gid = s.stx_gid,
      .inode = s.stx_ino,
      .size = s.stx_size,
      .blocks = s.stx_blocks,
      .mount_id = s.stx_mask & STATX_MNT_ID ? s.stx_mnt_id : 0,
      .attributes = s.stx_attributes,
      .device_major = s.stx_dev_major,
      .device_minor = s.stx_dev_minor,
      .rdev_major = s.stx_rdev_major,
      .rdev_minor = s.stx_rdev_minor};
  return 0;
}

int cl_statx(int directory, const char *path, bool follow, struct cl_stat *out) {
  return stat_with(directory, path, follow ? 0 : AT_SYMLINK_NOFOLLOW, out);
}

int cl_statx_cached(const char *path, struct cl_stat *out) {
  return stat_with(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_STATX_DONT_SYNC, out);
}

int cl_fstat(int fd, struct cl_stat *out) { return stat_with(fd, "", AT_EMPTY_PATH, out); }

int cl_chown_group(int fd, uint32_t group) { return RESULT(fchownat(fd, "", (uid_t)-1, group, AT_EMPTY_PATH)); }
int cl_pipe(int *ends) { return RESULT(pipe2(ends, O_CLOEXEC)); }

int cl_duplicate(int fd) {
  int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
  return copy == -1 ? -errno : copy;
}

int cl_freeze(int fd) { return RESULT(ioctl(fd, FIFREEZE, 0)); }
int cl_thaw(int fd) { return RESULT(ioctl(fd, FITHAW, 0)); }

int cl_trim(int fd, uint64_t minimum, uint64_t *trimmed) {
  struct fstrim_range range = {.start = 0, .len = UINT64_MAX, .minlen = minimum};
  if (ioctl(fd, FITRIM, &range) == -1) return -errno;
  *trimmed = range.len;
  return 0;
}

const char *cl_errno_name(int number) { return strerrorname_np(number); }
const char *cl_errno_text(int number) { return strerrordesc_np(number); }

void cl_name_thread(const char *name) {
  char cut[16];
  snprintf(cut, sizeof cut, "%s", name);
  prctl(PR_SET_NAME, cut, 0, 0, 0);
}

void cl_forbid_dumps(void) {
  struct rlimit none = {0, 0};
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  setrlimit(RLIMIT_CORE, &none);
}

void cl_uuid_sha1(uint8_t *out, const uint8_t *space, const char *name, size_t length) {
  uuid_generate_sha1(out, space, name, length);
}

void cl_uuid_random(uint8_t *out) { uuid_generate_random(out); }
