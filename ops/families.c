/* The families of built-in operations, in the order of the contract. */
#include "core/tape.h"

#define FAMILIES(FAMILY)                                                                                               \
    FAMILY(chain)

#define DECLARED(name) extern const wg_family wg_family_##name;
#define LISTED(name) &wg_family_##name,

FAMILIES(DECLARED)

const wg_family *const wg_families[] = {FAMILIES(LISTED) NULL};
