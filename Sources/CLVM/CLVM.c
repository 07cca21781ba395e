#include "CLVM.h"
