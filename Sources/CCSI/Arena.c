#include "Arena.h"

#include <stdint.h>
#include <stdlib.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_CHUNK_A_BLOCK 1 /* so that the sanitizer sees the bounds of every block */
#endif
#endif
#ifndef ONE_CHUNK_A_BLOCK
#define ONE_CHUNK_A_BLOCK 0
#endif

enum { CHUNK = 4096 - 32, ALIGNMENT = 8 };

typedef struct csi_chunk {
  struct csi_chunk *next;
} csi_chunk;

static void *take(void *arena, size_t size) { return csi_arena_alloc(arena, size); }

static void keep(void *arena, void *block) {
  (void)arena;
  (void)block; /* freed with the arena */
}

void csi_arena_init(csi_arena *arena, size_t limit) {
  *arena = (csi_arena){.allocator = {.alloc = take, .free = keep, .allocator_data = arena}, .left = limit};
}

void csi_arena_destroy(csi_arena *arena) {
  for (csi_chunk *chunk = arena->chunks; chunk != NULL;) {
    csi_chunk *next = chunk->next;
    free(chunk);
    chunk = next;
  }
  arena->chunks = NULL;
  arena->cursor = arena->end = NULL;
}

/* A new chunk with room for `size` bytes. */
static int grow(csi_arena *arena, size_t size) {
  size_t room = size > CHUNK || ONE_CHUNK_A_BLOCK ? size : CHUNK;
  if (room > arena->left) room = size;
  if (room > arena->left) return 0;
  csi_chunk *chunk = malloc(sizeof *chunk + room);
  if (chunk == NULL) return 0;
  arena->left -= room;
  chunk->next = arena->chunks;
  arena->chunks = chunk;
  arena->cursor = (unsigned char *)(chunk + 1);
  arena->end = arena->cursor + room;
  return 1;
}

void *csi_arena_alloc(csi_arena *arena, size_t size) {
  if (size > SIZE_MAX / 2) return NULL;
  size_t whole = sizeof(size_t) + ((size + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1));
  if (ONE_CHUNK_A_BLOCK) whole = sizeof(size_t) + size;
  if ((ONE_CHUNK_A_BLOCK || (size_t)(arena->end - arena->cursor) < whole) && !grow(arena, whole)) return NULL;
  size_t *header = (size_t *)(void *)arena->cursor;
  arena->cursor += whole;
  *header = size;
  return header + 1;
}
