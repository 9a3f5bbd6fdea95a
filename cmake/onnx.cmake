# The messages of ONNX files, made from lib/format/onnx.proto. What protoc-c writes casts const away.
set(INK_ONNX_FOLDER ${PROJECT_BINARY_DIR}/onnx)
file(MAKE_DIRECTORY ${INK_ONNX_FOLDER})
add_custom_command(OUTPUT ${INK_ONNX_FOLDER}/onnx.pb-c.c ${INK_ONNX_FOLDER}/onnx.pb-c.h
  COMMAND ${PROTOC_C} --proto_path=${PROJECT_SOURCE_DIR}/lib/format --c_out=${INK_ONNX_FOLDER} onnx.proto
  DEPENDS lib/format/onnx.proto VERBATIM)
set_source_files_properties(${INK_ONNX_FOLDER}/onnx.pb-c.c PROPERTIES COMPILE_OPTIONS -Wno-cast-qual)
target_sources(inkling PRIVATE ${INK_ONNX_FOLDER}/onnx.pb-c.c ${INK_ONNX_FOLDER}/onnx.pb-c.h)
target_include_directories(inkling SYSTEM PRIVATE ${INK_ONNX_FOLDER})
target_compile_definitions(inkling PRIVATE INK_ONNX=1)
target_link_libraries(inkling PRIVATE PkgConfig::PROTOBUF_C)
