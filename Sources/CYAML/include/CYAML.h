#pragma once
// libyaml's event parser, as it is.
#include <yaml.h>
