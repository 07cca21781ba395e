// Linux system calls and ioctls that Swift cannot import (variadic functions, macros, GNU extensions), with types.
//
// Convention: every function returns 0 or a non-negative result, or the negated errno. Nothing here allocates, keeps
// state or takes ownership of a descriptor.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/types.h>
#include <sys/vfs.h>

#include <blkid/blkid.h>

// MARK: files (file.c)

/// openat2(2): `resolve` is a set of the CL_RESOLVE_ bits. Returns a descriptor.
int cl_openat2(int directory, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
#define CL_RESOLVE_NO_MAGICLINKS 0x02ull
#define CL_RESOLVE_NO_SYMLINKS 0x04ull
#define CL_RESOLVE_BENEATH 0x08ull
/// O_PATH, which <fcntl.h> shows to GNU sources only.
extern const int cl_o_path;
/// O_DIRECT, likewise.
extern const int cl_o_direct;
/// open(2) with O_CLOEXEC added.
int cl_open(const char *path, int flags, mode_t mode);
/// renameat2(2) relative to the working directory with RENAME_NOREPLACE: -EEXIST when `to` exists.
int cl_rename_noreplace(const char *from, const char *to);
/// renameat2(2) with RENAME_EXCHANGE: both must exist.
int cl_rename_exchange(const char *a, const char *b);
/// fallocate(2): allocates, extending the file.
int cl_allocate(int fd, int64_t offset, int64_t length);
/// fallocate(2) with FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE.
int cl_punch_hole(int fd, int64_t offset, int64_t length);
/// copy_file_range(2) at explicit offsets; returns the bytes copied.
int64_t cl_copy_range(int from, int64_t from_offset, int to, int64_t to_offset, size_t length);
/// lseek(2) with SEEK_DATA / SEEK_HOLE: the offset, or -ENXIO past the last data.
int64_t cl_seek_data(int fd, int64_t offset);
int64_t cl_seek_hole(int fd, int64_t offset);
/// FICLONE: makes `to` share all blocks of `from`.
int cl_clone(int to, int from);
/// FICLONERANGE.
int cl_clone_range(int to, int64_t to_offset, int from, int64_t from_offset, int64_t length);

struct cl_extent {
  uint64_t logical, physical, length;
  uint32_t flags;
};
/// FS_IOC_FIEMAP from `start` with FIEMAP_FLAG_SYNC: fills at most `capacity` extents (at most 512), returns how many.
int cl_fiemap(int fd, uint64_t start, uint64_t length, struct cl_extent *extents, uint32_t capacity);
#define CL_EXTENT_LAST 0x1u
#define CL_EXTENT_UNWRITTEN 0x800u
#define CL_EXTENT_SHARED 0x2000u

struct cl_stat {
  uint32_t mode, uid, gid;
  uint64_t inode, size, blocks, mount_id, attributes;
  uint32_t device_major, device_minor, rdev_major, rdev_minor;
};
/// statx(2) of `path` (relative to `directory`) that never triggers automounts; `follow`: the final symbolic link.
int cl_statx(int directory, const char *path, bool follow, struct cl_stat *out);
/// statx(2) with AT_STATX_DONT_SYNC: answers from cache, so that a dead network mount does not hang the caller.
int cl_statx_cached(const char *path, struct cl_stat *out);
/// statx(2) of the open file itself.
int cl_fstat(int fd, struct cl_stat *out);

/// fchownat(2) of the open file itself (O_PATH descriptors and symbolic links too) to `group`, the owner unchanged.
int cl_chown_group(int fd, uint32_t group);
/// pipe2(2) with O_CLOEXEC: reading end, writing end.
int cl_pipe(int *ends);
/// fcntl(2) with F_DUPFD_CLOEXEC, never below 3.
int cl_duplicate(int fd);

/// fanotify(7): a descriptor (non-blocking) that tells who closes files in `directory`. Needs CAP_SYS_ADMIN.
int cl_watch_closes(const char *directory);
struct cl_close {
  /// 0 when the process is not of our process namespace.
  pid_t process;
  /// Events were lost: anything may have been closed.
  bool lost;
  /// Name of the file in its directory.
  char name[256];
};
/// What was closed since the last call, at most `capacity` (at most 64) events; returns how many, 0: no more.
int cl_read_closes(int fd, struct cl_close *events, int capacity);

/// FIFREEZE: syncs the file system of `fd` and blocks writers. -EBUSY when it is frozen.
int cl_freeze(int fd);
/// FITHAW. -EINVAL when it is not frozen.
int cl_thaw(int fd);
/// FITRIM over the whole file system; the bytes trimmed in `*trimmed`.
int cl_trim(int fd, uint64_t minimum, uint64_t *trimmed);

// MARK: block and loop devices (block.c)

int cl_block_size(int fd, uint64_t *bytes);
int cl_block_get_read_only(int fd, bool *read_only);
int cl_block_set_read_only(int fd, bool read_only);
/// BLKZEROOUT: the range reads as zeroes for ever after; multiples of the logical block.
int cl_block_zero(int fd, uint64_t offset, uint64_t length);
/// BLKDISCARD: the range's content is of no more use; multiples of the logical block.
int cl_block_discard(int fd, uint64_t offset, uint64_t length);
/// fsync, then BLKFLSBUF: writes the device's cached pages out and drops them.
int cl_block_flush(int fd);

struct cl_loop_status {
  uint64_t device, inode, offset, size_limit;
  uint32_t number, flags;
};
#define CL_LOOP_READ_ONLY 1u
#define CL_LOOP_AUTOCLEAR 4u
#define CL_LOOP_DIRECT_IO 16u
/// LOOP_CTL_GET_FREE on /dev/loop-control: a free number (adds a device if needed).
int cl_loop_get_free(int control);
/// LOOP_CTL_ADD: makes /dev/loopN exist in the kernel; -EEXIST when it does.
int cl_loop_add(int control, int number);
/// LOOP_CONFIGURE of the loop device `fd` over `backing`. `name` (cut to 63 bytes) is what losetup shows.
int cl_loop_configure(int fd, int backing, uint32_t block_size, uint32_t flags, const char *name);
int cl_loop_clear(int fd);
int cl_loop_status(int fd, struct cl_loop_status *out);
int cl_loop_refresh_size(int fd);
int cl_loop_set_direct_io(int fd, bool on);

// MARK: file systems (filesystem.c)

/// EXT4_IOC_RESIZE_FS on any file of the mounted file system.
int cl_ext4_resize(int fd, uint64_t blocks);
/// Size of a mounted xfs' data section (XFS_IOC_FSGEOMETRY_V1).
int cl_xfs_geometry(int fd, uint32_t *block_size, uint64_t *data_blocks, uint32_t *max_inode_percent);
/// XFS_IOC_FSGROWFSDATA.
int cl_xfs_grow(int fd, uint64_t data_blocks, uint32_t max_inode_percent);
/// BTRFS_IOC_FS_INFO: the number of devices and the largest device id.
int cl_btrfs_devices(int fd, uint64_t *count, uint64_t *largest_id);
/// BTRFS_IOC_DEV_INFO: how much of device `id` the file system uses as its own.
int cl_btrfs_device_size(int fd, uint64_t id, uint64_t *bytes);
/// BTRFS_IOC_RESIZE of device `id` to `max`.
int cl_btrfs_grow(int fd, uint64_t id);

// MARK: mounts

/// Clones the mount that shows `source` (open_tree(2) with OPEN_TREE_CLONE): a descriptor of a mount nobody sees yet.
int cl_clone_mount(const char *source);
/// Makes the mount of `fd` read-only (mount_setattr(2)), leaving its other attributes alone.
int cl_make_mount_read_only(int fd);
/// Attaches the mount of `fd` on what `target`, an O_PATH descriptor, refers to (move_mount(2)).
int cl_attach_mount(int fd, int target);
int cl_mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data);
int cl_unmount(const char *target, int flags);
int cl_make_device_node(const char *path, mode_t mode, unsigned int major, unsigned int minor);
unsigned int cl_major(uint64_t device);
unsigned int cl_minor(uint64_t device);

// MARK: processes and threads

/// "ENOENT", and "No such file or directory"; NULL for numbers that mean nothing. Static storage.
const char *cl_errno_name(int number);
const char *cl_errno_text(int number);

/// prctl(PR_SET_NAME): at most 15 bytes are kept.
void cl_name_thread(const char *name);

/// Keeps this process' memory out of core dumps and other users' hands (prctl PR_SET_DUMPABLE, RLIMIT_CORE). Processes
/// that it executes begin without.
void cl_forbid_dumps(void);

// MARK: identifiers

/// UUID version 5 of `name` within `space` (16 bytes each), by libuuid's uuid_generate_sha1.
void cl_uuid_sha1(uint8_t *out, const uint8_t *space, const char *name, size_t length);
/// A random UUID (version 4).
void cl_uuid_random(uint8_t *out);
