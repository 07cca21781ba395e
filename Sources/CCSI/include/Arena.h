#pragma once
#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

/* Memory of one message: handed out by moving a cursor, given back all at once.
 *
 * Every block is preceded by its size. That is how the length of a decoded string is known: protobuf-c hands out a
 * bare `char *`, and a NUL inside the string would silently cut it short. */
typedef struct csi_arena {
  ProtobufCAllocator allocator; /* for protobuf-c; points back to this arena, which therefore must not be moved */
  unsigned char *cursor, *end;  /* free part of the newest chunk */
  struct csi_chunk *chunks;     /* newest first */
  size_t left;                  /* bytes that may still be taken from the system */
} csi_arena;

/* Makes an empty arena that takes at most `limit` bytes. */
void csi_arena_init(csi_arena *arena, size_t limit);

/* Frees everything that was handed out. */
void csi_arena_destroy(csi_arena *arena);

/* `size` bytes aligned for any field of a message, not cleared. NULL when the limit or the memory is exhausted. */
void *csi_arena_alloc(csi_arena *arena, size_t size);

/* Bytes of a string that protobuf-c decoded into an arena, without the final NUL; 0 for an absent string. */
static inline size_t csi_string_length(const char *string) {
  return string == NULL || string == protobuf_c_empty_string ? 0 : ((const size_t *)(const void *)string)[-1] - 1;
}

/* What protoc-c makes of every entry of a map<string, string>. */
typedef struct csi_map_entry {
  ProtobufCMessage base;
  char *key;
  char *value;
} csi_map_entry;
