#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/btrfs.h>
#include <linux/ioctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#define RESULT(expression) ((expression) == -1 ? -errno : 0)

// The kernel installs no header for these; numbers and layouts are kernel ABI (fs/ext4/ext4.h, fs/xfs/libxfs/xfs_fs.h).
#define EXT4_RESIZE _IOW('f', 16, uint64_t)

struct xfs_geometry_v1 {
  uint32_t block_size, realtime_extent_size, group_blocks, group_count, log_blocks, sector_size, inode_size,
      max_inode_percent;
  uint64_t data_blocks, realtime_blocks, realtime_extents, log_start;
  uint8_t uuid[16];
  uint32_t stripe_unit, stripe_width;
  int32_t version;
  uint32_t flags, log_sector_size, realtime_sector_size, directory_block_size;
};
_Static_assert(sizeof(struct xfs_geometry_v1) == 112, "xfs_fsop_geom_v1 is 112 bytes");
#define XFS_GEOMETRY_V1 _IOR('X', 100, struct xfs_geometry_v1)

struct xfs_grow_data {
  uint64_t new_blocks;
  uint32_t max_inode_percent;
};
_Static_assert(sizeof(struct xfs_grow_data) == 16, "xfs_growfs_data is 16 bytes");
#define XFS_GROW_DATA _IOW('X', 110, struct xfs_grow_data)

int cl_ext4_resize(int fd, uint64_t blocks) { return RESULT(ioctl(fd, EXT4_RESIZE, &blocks)); }

int cl_xfs_geometry(int fd, uint32_t *block_size, uint64_t *data_blocks, uint32_t *max_inode_percent) {
  struct xfs_geometry_v1 geometry;
  if (ioctl(fd, XFS_GEOMETRY_V1, &geometry) == -1) return -errno;
  *block_size = geometry.block_size;
  *data_blocks = geometry.data_blocks;
  *max_inode_percent = geometry.max_inode_percent;
  return 0;
}

int cl_xfs_grow(int fd, uint64_t data_blocks, uint32_t max_inode_percent) {
  struct xfs_grow_data request = {data_blocks, max_inode_percent};
  return RESULT(ioctl(fd, XFS_GROW_DATA, &request));
}

int cl_btrfs_devices(int fd, uint64_t *count, uint64_t *largest_id) {
  struct btrfs_ioctl_fs_info_args info;
  memset(&info, 0, sizeof info);
  if (ioctl(fd, BTRFS_IOC_FS_INFO, &info) == -1) return -errno;
  *count = info.num_devices;
  *largest_id = info.max_id;
  return 0;
}

int cl_btrfs_device_size(int fd, uint64_t id, uint64_t *bytes) {
  struct btrfs_ioctl_dev_info_args info;
  memset(&info, 0, sizeof info);
  info.devid = id;
  if (ioctl(fd, BTRFS_IOC_DEV_INFO, &info) == -1) return -errno;
  *bytes = info.total_bytes;
  return 0;
}

int cl_btrfs_grow(int fd, uint64_t id) {
  struct btrfs_ioctl_vol_args request;
  memset(&request, 0, sizeof request);
  snprintf(request.name, sizeof request.name, "%llu:max", (unsigned long long)id);
  return RESULT(ioctl(fd, BTRFS_IOC_RESIZE, &request));
}

int cl_clone_mount(const char *source) {
  int fd = open_tree(AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
  return fd == -1 ? -errno : fd;
}

int cl_make_mount_read_only(int fd) {
  struct mount_attr change = {.attr_set = MOUNT_ATTR_RDONLY};
  return RESULT(mount_setattr(fd, "", AT_EMPTY_PATH, &change, sizeof change));
}

int cl_attach_mount(int fd, int target) {
  return RESULT(move_mount(fd, "", target, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH));
}

int cl_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data) {
  return RESULT(mount(source, target, type, flags, data));
}

int cl_unmount(const char *target, int flags) { return RESULT(umount2(target, flags)); }
