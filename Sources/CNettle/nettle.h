// Nettle, for what must be right and is not ours to write: SHA-256 and SHA-1, and a comparison whose
// time tells nothing.
#include <nettle/memops.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
