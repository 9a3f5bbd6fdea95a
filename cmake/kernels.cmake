# One source per instruction set, each compiled for its own: the template inside is the same. The kernels are the program's
# heat, so they are optimised in a debug build too.
set(INK_KERNELS ${CMAKE_CURRENT_LIST_DIR})
cmake_path(REPLACE_FILENAME INK_KERNELS lib/kernel)
set(INK_KERNEL_FLAGS -O3 -fno-semantic-interposition)
set_source_files_properties(${INK_KERNELS}/portable.c PROPERTIES COMPILE_OPTIONS "${INK_KERNEL_FLAGS}")
set_source_files_properties(${INK_KERNELS}/avx2.c PROPERTIES COMPILE_OPTIONS "${INK_KERNEL_FLAGS};-mavx2;-mfma")
set_source_files_properties(${INK_KERNELS}/avx512.c PROPERTIES COMPILE_OPTIONS
  "${INK_KERNEL_FLAGS};-mavx512f;-mavx512dq;-mavx512bw;-mavx512vl;-mavx2;-mfma;-mprefer-vector-width=512")
set_source_files_properties(${INK_KERNELS}/neon.c PROPERTIES COMPILE_OPTIONS "${INK_KERNEL_FLAGS}")
# The integer kernels likewise.
set_source_files_properties(${INK_KERNELS}/int8_portable.c PROPERTIES COMPILE_OPTIONS "${INK_KERNEL_FLAGS}")
set_source_files_properties(${INK_KERNELS}/int8_avx2.c PROPERTIES COMPILE_OPTIONS "${INK_KERNEL_FLAGS};-mavx2")
set_source_files_properties(${INK_KERNELS}/int8_vnni.c PROPERTIES COMPILE_OPTIONS
  "${INK_KERNEL_FLAGS};-mavx512f;-mavx512dq;-mavx512bw;-mavx512vl;-mavx512vnni;-mprefer-vector-width=512")
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  list(APPEND INK_FOREIGN ${INK_KERNELS}/avx2.c ${INK_KERNELS}/avx512.c ${INK_KERNELS}/int8_avx2.c
    ${INK_KERNELS}/int8_vnni.c)
endif()
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  list(APPEND INK_FOREIGN ${INK_KERNELS}/neon.c)
endif()
set_source_files_properties(${INK_FOREIGN} PROPERTIES HEADER_FILE_ONLY ON)

# The numerics contract: every fused multiply-add is written out, nothing else is fused or reordered. Errno and traps are
# never read, which lets sqrt and comparisons be vectorised without changing a bit.
function(ink_numerics target)
  target_compile_options(${target} PRIVATE -ffp-contract=off -fno-math-errno -fno-trapping-math)
endfunction()
