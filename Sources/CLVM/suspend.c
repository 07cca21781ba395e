#include "suspend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int set(const char *name, unsigned flags) {
  struct dm_ioctl order = {
      .version = {4, 0, 0},
      .data_size = sizeof order,
      .flags = flags,
  };
  if (strlen(name) >= sizeof order.name) return -ENAMETOOLONG;
  strcpy(order.name, name);
  int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
  if (control < 0) return -errno;
  int result = ioctl(control, DM_DEV_SUSPEND, &order) == 0 ? 0 : -errno;
  close(control);
  return result;
}

int clvm_suspend(const char *name) { return set(name, DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG); }

int clvm_resume(const char *name) { return set(name, 0); }
