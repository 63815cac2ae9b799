// What Swift cannot import by itself, one header a subject.
// Everything on the hot path is `static inline`, so that the Swift optimiser can inline it.
#pragma once
#include "checksum.h"
#include "heap.h"
#include "number.h"
#include "probe.h"
#include "kernel.h"
