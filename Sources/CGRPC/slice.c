#include "internal.h"

/* A cgrpc_buffer is a counted slice taken apart, so that building a message allocates once and copies never. The large
 * variant is always counted; small slices would live inside the struct and move with it. */
static grpc_slice slice_of(cgrpc_buffer buffer) {
  grpc_slice slice;
  slice.refcount = buffer.owner;
  slice.data.refcounted.length = buffer.length;
  slice.data.refcounted.bytes = buffer.bytes;
  return slice;
}

cgrpc_buffer cgrpc_buffer_create(size_t length) {
  grpc_slice slice = grpc_slice_malloc_large(length);
  return (cgrpc_buffer){slice.refcount, slice.data.refcounted.bytes, length};
}

void cgrpc_buffer_discard(cgrpc_buffer buffer) { grpc_slice_unref(slice_of(buffer)); }

grpc_byte_buffer *cgrpc_buffer_finish(cgrpc_buffer buffer) {
  grpc_slice slice = slice_of(buffer);
  grpc_byte_buffer *message = grpc_raw_byte_buffer_create(&slice, buffer.length == 0 ? 0 : 1);
  grpc_slice_unref(slice); /* the byte buffer took a reference of its own */
  return message;
}

cgrpc_view cgrpc_slice_view(const grpc_slice *slice) {
  return (cgrpc_view){GRPC_SLICE_START_PTR(*slice), GRPC_SLICE_LENGTH(*slice)};
}

cgrpc_view cgrpc_message_view(grpc_byte_buffer *message, grpc_slice *joined) {
  static const uint8_t nothing = 0;
  if (message == NULL) return (cgrpc_view){NULL, 0};
  size_t length = grpc_byte_buffer_length(message);
  if (length == 0) return (cgrpc_view){&nothing, 0};

  grpc_byte_buffer_reader reader;
  if (!grpc_byte_buffer_reader_init(&reader, message)) return (cgrpc_view){NULL, 0};
  grpc_slice *first = NULL;
  if (grpc_byte_buffer_reader_peek(&reader, &first) && GRPC_SLICE_LENGTH(*first) == length) {
    cgrpc_view view = cgrpc_slice_view(first);
    grpc_byte_buffer_reader_destroy(&reader);
    return view;
  }
  grpc_byte_buffer_reader_destroy(&reader);

  if (!grpc_byte_buffer_reader_init(&reader, message)) return (cgrpc_view){NULL, 0};
  grpc_slice_unref(*joined);
  *joined = grpc_byte_buffer_reader_readall(&reader);
  grpc_byte_buffer_reader_destroy(&reader);
  return cgrpc_slice_view(joined);
}
