#pragma once

#include <curl/curl.h>

// Swift cannot call variadic functions: typed forms of those of libcurl that it needs.
