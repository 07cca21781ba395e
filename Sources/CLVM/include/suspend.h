#pragma once

/// Holds a device-mapper device still: what is under way ends, what comes later waits until it is resumed. What its
/// file system has not written out yet is not asked for: that is frozen already, or nobody's business.
///
/// A single ioctl on a descriptor of its own, not libdevmapper: it waits for I/O, and libdevmapper is one at a time.
/// Returns 0 or -errno.
int clvm_suspend(const char *name);

/// Lets a suspended device go on; nothing happens to one that is not. Returns 0 or -errno.
int clvm_resume(const char *name);
