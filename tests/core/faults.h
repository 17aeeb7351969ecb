/* An allocator that fails on demand and looks after its blocks: what a tape does when there is no memory. */
#ifndef TESTS_CORE_FAULTS_H
#define TESTS_CORE_FAULTS_H

#include "wengert/tape.h"

typedef struct {
    size_t fail_at;  /* the allocation that fails, counted from 1; 0: none */
    bool from_there; /* and all after it */
    size_t largest;  /* bytes: more is never given; 0: no limit. Below a block's usual size, the arena asks for each
                        piece  by itself, and each can fail */
    size_t skew;     /* of all addresses from a multiple of 64: 0, 16, 32 or 48; how much fits a block depends on it */
    size_t calls;    /* allocations asked for, those over `largest` left out */
    size_t failed;   /* of them */
    size_t blocks, bytes; /* held now */
    size_t misused;       /* blocks written past their end, or given back with another size */
} faults;

/* Fresh memory holds garbage, released memory too. */
wg_memory faults_memory(faults *f);

#endif
