/* What the files of this module share. */
#ifndef CGRPC_INTERNAL_H
#define CGRPC_INTERNAL_H

#include "CGRPC.h"

#include <grpc/byte_buffer.h>
#include <grpc/byte_buffer_reader.h>
#include <grpc/grpc.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>
#include <stdatomic.h>

/* gRPC core is not instrumented, so ThreadSanitizer cannot see that a completion queue orders the start of an
 * operation before its event. These two lines tell it. */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define CGRPC_THREAD_SANITIZER 1
#endif
#endif
#ifdef CGRPC_THREAD_SANITIZER
void __tsan_acquire(void *address);
void __tsan_release(void *address);
#define CGRPC_ACQUIRE(address) __tsan_acquire(address)
#define CGRPC_RELEASE(address) __tsan_release(address)
#else
#define CGRPC_ACQUIRE(address) ((void)(address))
#define CGRPC_RELEASE(address) ((void)(address))
#endif

/* What a completion queue gives back for an operation: embedded in the object that the operation belongs to, one for
 * each kind of operation that may be under way at once. */
typedef struct cgrpc_tag {
  void (*run)(struct cgrpc_tag *tag, bool ok);
} cgrpc_tag;

#define CGRPC_OWNER(tag, type, member) ((type *)((char *)(tag) - offsetof(type, member)))

/* Waits for one event and runs its tag. False when the queue is shut down and empty. */
bool cgrpc_queue_step(grpc_completion_queue *queue);

/* Runs `body(context)` on a detached thread called `name` (a constant). False with errno when there is none to be had. */
bool cgrpc_thread_start(const char *name, void *(*body)(void *), void *context);

/* Starts a batch. After it returned, the owner of `tag` may be gone. Aborts when core finds the batch ill-formed:
 * batches are made of constants here, so that is a bug and nothing that input can cause. */
void cgrpc_batch_start(grpc_call *call, const grpc_op *operations, size_t count, cgrpc_tag *tag);

/* Consumes the buffer; the byte buffer belongs to the caller. */
grpc_byte_buffer *cgrpc_buffer_finish(cgrpc_buffer buffer);

/* The bytes of a received message as one piece. `joined` is an initialized slice of the caller's, replaced when the
 * message came in several pieces; the view points into it or into the message. */
cgrpc_view cgrpc_message_view(grpc_byte_buffer *message, grpc_slice *joined);

cgrpc_view cgrpc_slice_view(const grpc_slice *slice);

int64_t cgrpc_nanoseconds(gpr_timespec time);
gpr_timespec cgrpc_timespec(int64_t nanoseconds);

/* Core's form of the arguments, with room for `extra` more; free() it. */
grpc_arg *cgrpc_arguments(const cgrpc_argument *arguments, size_t count, size_t extra);

/* Never NULL: aborts when there is no memory, as core itself does. Zeroed. */
void *cgrpc_allocate(size_t size);

#endif
