#define _GNU_SOURCE
#include "CCryptsetup.h"

#include <dlfcn.h>
#include <libdevmapper.h>
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

const char *ccs_load(struct ccs_library *library) {
  void *handle = dlopen("libcryptsetup.so.12", RTLD_NOW | RTLD_LOCAL);
  if (!handle) return dlerror();
#define FIND(name)                                             \
  do {                                                         \
    *(void **)&library->name = dlsym(handle, "crypt_" #name);  \
    if (!library->name) return dlerror();                      \
  } while (0)
  FIND(init);
  FIND(init_by_name);
  FIND(free);
  FIND(set_log_callback);
  FIND(metadata_locking);
  FIND(volume_key_keyring);
  FIND(set_pbkdf_type);
  FIND(set_data_offset);
  FIND(format);
  FIND(load);
  FIND(keyslot_add_by_volume_key);
  FIND(activate_by_volume_key);
  FIND(activate_by_passphrase);
  FIND(resize);
  FIND(deactivate_by_name);
#undef FIND
  // libdevmapper came with it.
  *(void **)&library->task_create = dlsym(handle, "dm_task_create");
  *(void **)&library->task_set_name = dlsym(handle, "dm_task_set_name");
  *(void **)&library->task_run = dlsym(handle, "dm_task_run");
  *(void **)&library->task_get_errno = dlsym(handle, "dm_task_get_errno");
  *(void **)&library->task_destroy = dlsym(handle, "dm_task_destroy");
  if (!library->task_create || !library->task_set_name || !library->task_run || !library->task_get_errno ||
      !library->task_destroy)
    return "libdevmapper lacks a function";
  return NULL;
}

int ccs_remove_mapping(const struct ccs_library *library, const char *name) {
  struct dm_task *task = library->task_create(DM_DEVICE_REMOVE);
  if (!task) return -ENOMEM;
  int result = 0;
  if (!library->task_set_name(task, name)) {
    result = -EINVAL;
  } else if (!library->task_run(task)) {
    int number = library->task_get_errno(task);
    if (number != ENXIO) result = number ? -number : -EIO;
  }
  library->task_destroy(task);
  return result;
}

void ccs_lock_memory(void *memory, size_t length) { (void)mlock(memory, length); }

void ccs_wipe(void *memory, size_t length) { explicit_bzero(memory, length); }

int ccs_sector_size(int fd) {
  int size = 0;
  return ioctl(fd, BLKSSZGET, &size) == 0 ? size : -errno;
}
