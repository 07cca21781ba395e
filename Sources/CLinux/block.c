#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define RESULT(expression) ((expression) == -1 ? -errno : 0)

int cl_block_size(int fd, uint64_t *bytes) { return RESULT(ioctl(fd, BLKGETSIZE64, bytes)); }

int cl_block_get_read_only(int fd, bool *read_only) {
  int value = 0;
  if (ioctl(fd, BLKROGET, &value) == -1) return -errno;
  *read_only = value != 0;
  return 0;
}

int cl_block_set_read_only(int fd, bool read_only) {
  int value = read_only;
  return RESULT(ioctl(fd, BLKROSET, &value));
}

int cl_block_zero(int fd, uint64_t offset, uint64_t length) {
  uint64_t range[2] = {offset, length};
  return RESULT(ioctl(fd, BLKZEROOUT, range));
}

int cl_block_discard(int fd, uint64_t offset, uint64_t length) {
  uint64_t range[2] = {offset, length};
  return RESULT(ioctl(fd, BLKDISCARD, range));
}

int cl_block_flush(int fd) {
  if (fsync(fd) == -1) return -errno;
  return RESULT(ioctl(fd, BLKFLSBUF, 0));
}

_Static_assert(CL_LOOP_READ_ONLY == LO_FLAGS_READ_ONLY && CL_LOOP_AUTOCLEAR == LO_FLAGS_AUTOCLEAR &&
                   CL_LOOP_DIRECT_IO == LO_FLAGS_DIRECT_IO,
               "loop flags");

int cl_loop_get_free(int control) {
  int number = ioctl(control, LOOP_CTL_GET_FREE);
  return number == -1 ? -errno : number;
}

int cl_loop_add(int control, int number) { return RESULT(ioctl(control, LOOP_CTL_ADD, (long)number)); }

int cl_loop_configure(int fd, int backing, uint32_t block_size, uint32_t flags, const char *name) {
  struct loop_config config;
  memset(&config, 0, sizeof config);
  config.fd = (uint32_t)backing;
  config.block_size = block_size;
  config.info.lo_flags = flags;
  snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", name);
  return RESULT(ioctl(fd, LOOP_CONFIGURE, &config));
}

int cl_loop_clear(int fd) { return RESULT(ioctl(fd, LOOP_CLR_FD, 0)); }

int cl_loop_status(int fd, struct cl_loop_status *out) {
  struct loop_info64 info;
  if (ioctl(fd, LOOP_GET_STATUS64, &info) == -1) return -errno;
  *out = (struct cl_loop_status){
      .device = info.lo_device,
      .inode = info.lo_inode,
      .offset = info.lo_offset,
      .size_limit = info.lo_sizelimit,
      .number = info.lo_number,
      .flags = info.lo_flags};
  return 0;
}

int cl_loop_refresh_size(int fd) { return RESULT(ioctl(fd, LOOP_SET_CAPACITY, 0)); }
int cl_loop_set_direct_io(int fd, bool on) { return RESULT(ioctl(fd, LOOP_SET_DIRECT_IO, (unsigned long)on)); }

int cl_make_device_node(const char *path, mode_t mode, unsigned int major_number, unsigned int minor_number) {
  return RESULT(mknod(path, S_IFBLK | mode, makedev(major_number, minor_number)));
}

unsigned int cl_major(uint64_t device) { return major((dev_t)device); }
unsigned int cl_minor(uint64_t device) { return minor((dev_t)device); }
