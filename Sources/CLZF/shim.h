// Debian's liblzf: the compression that Redis uses in its files and its lists.
#include <liblzf/lzf.h>
