# One source per instruction set, each compiled for its own: the template inside is the same. The kernels are the program's
# heat, so they are optimised in a debug build too.
set(INK_KERNEL_FLAGS -O3 -fno-semantic-interposition)
set_source_files_properties(lib/kernel/portable.c PROPERTIES COMPILE_OPTIONS "${INK_KERNEL_FLAGS}")
set_source_files_properties(lib/kernel/avx2.c PROPERTIES COMPILE_OPTIONS "${INK_KERNEL_FLAGS};-mavx2;-mfma")
set_source_files_properties(lib/kernel/avx512.c PROPERTIES COMPILE_OPTIONS
  "${INK_KERNEL_FLAGS};-mavx512f;-mavx512dq;-mavx512bw;-mavx512vl;-mavx2;-mfma;-mprefer-vector-width=512")
set_source_files_properties(lib/kernel/neon.c PROPERTIES COMPILE_OPTIONS "${INK_KERNEL_FLAGS}")
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND INK_FOREIGN lib/kernel/avx2.c lib/kernel/avx512.c)
endif()
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  list(APPEND INK_FOREIGN lib/kernel/neon.c)
endif()
set_source_files_properties(${INK_FOREIGN} PROPERTIES HEADER_FILE_ONLY ON)
