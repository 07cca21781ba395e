/* Shared by client.c (the channel) and client_call.c (one call over it). */
#ifndef CGRPC_CLIENT_H
#define CGRPC_CLIENT_H

#include "internal.h"

struct cgrpc_client {
  grpc_channel *channel;
};

/* The queue of all clients of the process. Its poller thread starts with the first client and never ends. */
grpc_completion_queue *cgrpc_client_queue(void);

#endif
