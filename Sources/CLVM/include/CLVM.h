#pragma once
// libdevmapper as it is, and liblvm2cmd loaded when it is first needed: only the worker process pays for it.
#include <libdevmapper.h>
#include "suspend.h"

#include <stdbool.h>
#include <stddef.h>

// MARK: liblvm2cmd (lvm2cmd.h). One handle and one thread for the life of a process: the library is not thread safe.

/// What became of a command: LVM2_COMMAND_SUCCEEDED and so on in lvm2cmd.h.
#define CLVM_SUCCEEDED 1
#define CLVM_NO_SUCH_COMMAND 2
#define CLVM_INVALID_PARAMETERS 3
#define CLVM_INIT_FAILED 4
#define CLVM_PROCESSING_FAILED 5

/// LVM2_LOG_ERROR: this and below are errors.
#define CLVM_LOG_ERROR 3
/// LVM2_LOG_PRINT: what the program would print, reports and warnings alike; above are verbose and debug messages.
#define CLVM_LOG_PRINT 4

/// Gets every message of LVM, line by line, of all levels. Called on the thread that runs the command.
typedef void (*clvm_log)(int level, const char *message);

/// Loads the library and makes its handle; what the environment says (LVM_SYSTEM_DIR) counts now. NULL, or the reason
/// why it cannot be (static storage).
const char *clvm_start(clvm_log log);
/// Runs a command line and returns one of the numbers above.
int clvm_run(const char *line);
/// The same without a log function, for whom LVM cuts lines at 4 KiB (a volume with long tags has more in a report).
/// What it prints is in the two descriptors from offset 0 on, until the next call; they are not the caller's.
int clvm_run_printing(const char *line, int *output, int *errors);
void clvm_stop(void);

// MARK: libdevmapper

/// Makes libdevmapper say nothing on stderr: errors are told by results. To be called before anything else of it.
void clvm_quiet_device_mapper(void);
