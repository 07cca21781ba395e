#pragma once
// libdevmapper as it is, and liblvm2cmd loaded when it is first needed.
#include "suspend.h"

#include <libdevmapper.h>
