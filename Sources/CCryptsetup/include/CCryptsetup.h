// libcryptsetup, loaded when it is first asked for: only the short-lived process that works on one encrypted device
// pays for it, and a host without encrypted volumes need not have it.
#pragma once

#include <libcryptsetup.h>
#include <stddef.h>
#include <stdint.h>

/// The functions of libcryptsetup that are used, under their own names and with their own types.
struct dm_task;
struct ccs_library {
  __typeof__(&crypt_init) init;
  __typeof__(&crypt_init_by_name) init_by_name;
  __typeof__(&crypt_free) free;
  __typeof__(&crypt_set_log_callback) set_log_callback;
  __typeof__(&crypt_metadata_locking) metadata_locking;
  __typeof__(&crypt_volume_key_keyring) volume_key_keyring;
  __typeof__(&crypt_set_pbkdf_type) set_pbkdf_type;
  __typeof__(&crypt_set_data_offset) set_data_offset;
  __typeof__(&crypt_format) format;
  __typeof__(&crypt_load) load;
  __typeof__(&crypt_keyslot_add_by_volume_key) keyslot_add_by_volume_key;
  __typeof__(&crypt_activate_by_volume_key) activate_by_volume_key;
  __typeof__(&crypt_activate_by_passphrase) activate_by_passphrase;
  __typeof__(&crypt_resize) resize;
  __typeof__(&crypt_deactivate_by_name) deactivate_by_name;
  // Of libdevmapper.
  struct dm_task *(*task_create)(int type);
  int (*task_set_name)(struct dm_task *task, const char *name);
  int (*task_run)(struct dm_task *task);
  int (*task_get_errno)(struct dm_task *task);
  void (*task_destroy)(struct dm_task *task);
};

/// Removes a mapped device that has no table, which libcryptsetup takes for none: left by a process that was killed while
/// it made one. Nothing by this name is a success. Returns 0 or a negated errno.
int ccs_remove_mapping(const struct ccs_library *library, const char *name);

/// Constants of libcryptsetup.h that Swift does not see, as they are macros of macros.
static const uint32_t ccs_no_benchmark = CRYPT_PBKDF_NO_BENCHMARK;
static const uint32_t ccs_activate_read_only = CRYPT_ACTIVATE_READONLY;
static const uint32_t ccs_activate_allow_discards = CRYPT_ACTIVATE_ALLOW_DISCARDS;

/// Loads libcryptsetup.so.12 and fills `library`. Returns NULL, or what dlopen(3) or dlsym(3) say.
const char *ccs_load(struct ccs_library *library);

/// mlock(2); a refusal is none of the caller's business.
void ccs_lock_memory(void *memory, size_t length);
/// explicit_bzero(3).
void ccs_wipe(void *memory, size_t length);
/// BLKSSZGET: bytes of a logical sector, or the negated errno.
int ccs_sector_size(int fd);
