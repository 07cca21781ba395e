#include "suspend.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/dm-ioctl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int clvm_suspend(const char *name) {
  struct dm_ioctl order = {
      .version = {4, 0, 0},
      .data_size = sizeof order,
      .flags = DM_SUSPEND_FLAG | DM_SKIP_LOCKFS_FLAG,
  };
  if (strlen(name) >= sizeof order.name) return -ENAMETOOLONG;
  strcpy(order.name, name);
  int control = open("/dev/mapper/control", O_RDWR | O_CLOEXEC);
  if (control < 0) return -errno;
  int result = ioctl(control, DM_DEV_SUSPEND, &order) == 0 ? 0 : -errno;
  close(control);
  return result;
}
