/* The parts of an exported page that are the same for every network, made by cmake/html.cmake: the page before and
 * behind the network's data, and the code for WebAssembly. */
#ifndef INK_FORMAT_HTML_H
#define INK_FORMAT_HTML_H

#include <stddef.h>

extern const unsigned char ink__html_head[], ink__html_tail[], ink__html_code[];
extern const size_t ink__html_head_size, ink__html_tail_size, ink__html_code_size;

#endif
