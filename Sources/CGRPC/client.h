/* Shared by client.c (the channel) and client_call.c (one call over it). */
#ifndef CGRPC_CLIENT_H
#define CGRPC_CLIENT_H

#include "internal.h"

/* References: one of the creator, one of each call. Core's channel must not be destroyed earlier: a call that was
 * created on it but starts later would then wait for ever. */
struct cgrpc_client {
  grpc_channel *channel;
  atomic_int references;
};

void cgrpc_client_retain(cgrpc_client *client);
void cgrpc_client_release(cgrpc_client *client);

/* The queue of all clients of the process. Its poller thread starts with the first client and never ends. */
grpc_completion_queue *cgrpc_client_queue(void);

#endif
