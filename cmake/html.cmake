# Exported pages (inkling export --format html): lib/page compiled to WebAssembly, and the page of web/export with the style
# and the scripts of web/ inside, as arrays for the library. Where this file is run by itself, it makes the arrays:
# cmake -DWEB=web -DCODE=page.wasm -DOUTPUT=html_page.c -P html.cmake
if(CMAKE_SCRIPT_MODE_FILE)
  cmake_policy(VERSION 3.25)
  # Scripts of modules become one: what they import from each other is there.
  function(read_script name variable)
    file(READ ${WEB}/${name} script)
    string(REGEX REPLACE "(^|\n)import [^\n]*;\n" "\\1" script "${script}")
    set(${variable} "${script}" PARENT_SCOPE)
  endfunction()
  function(append_array name hex)
    string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
    file(APPEND ${OUTPUT} "const unsigned char ink__html_${name}[] = { ${bytes} };\n"
         "const size_t ink__html_${name}_size = sizeof ink__html_${name};\n")
  endfunction()
  function(append_text name text)
    file(WRITE ${OUTPUT}.part "${text}")
    file(READ ${OUTPUT}.part hex HEX)
    file(REMOVE ${OUTPUT}.part)
    append_array(${name} "${hex}")
  endfunction()

  file(READ ${WEB}/export/index.html page)
  file(READ ${WEB}/style.css style)
  file(READ ${WEB}/icon.svg icon HEX)
  read_script(paper.js paper)
  read_script(export/page.js script)
  string(REGEX REPLACE "(..)" "%\\1" icon "${icon}")
  string(REPLACE "@style@" "${style}" page "${page}")
  string(REPLACE "@icon@" "data:image/svg+xml,${icon}" page "${page}")
  string(REPLACE "@script@" "${paper}\n${script}" page "${page}")
  string(FIND "${page}" "@model@" at)
  string(SUBSTRING "${page}" 0 ${at} head)
  math(EXPR at "${at} + 7")
  string(SUBSTRING "${page}" ${at} -1 tail)
  file(READ ${CODE} code HEX)
  file(WRITE ${OUTPUT} "/* Made by cmake/html.cmake. */\n#include \"format/html.h\"\n\n")
  append_text(head "${head}")
  append_text(tail "${tail}")
  append_array(code "${code}")
  return()
endif()

set(INK_HTML_CODE ${PROJECT_BINARY_DIR}/page.wasm)
set(INK_HTML_PAGE ${PROJECT_BINARY_DIR}/html_page.c)
set(INK_HTML_SOURCES lib/page/page.c lib/data/fit.c lib/data/ink.c lib/data/resample.c lib/data/segment.c lib/base/memory.c)
list(TRANSFORM INK_HTML_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/)
add_custom_command(OUTPUT ${INK_HTML_CODE}
  COMMAND ${INK_WASM_CLANG} --target=wasm32-wasi -std=gnu17 -O2 -Wall -Wextra -Werror -fvisibility=hidden -ffp-contract=off
          -I${PROJECT_SOURCE_DIR}/include -I${PROJECT_SOURCE_DIR}/lib -nostartfiles -nodefaultlibs
          -Wl,--no-entry,--export-dynamic,--export=malloc,--strip-all ${INK_HTML_SOURCES}
          -lc -o ${INK_HTML_CODE}
  DEPENDS ${INK_HTML_SOURCES} lib/infer/infer.c lib/data/picture.h lib/data/resample.h lib/base/memory.h include/inkling.h
  VERBATIM)
add_custom_command(OUTPUT ${INK_HTML_PAGE}
  COMMAND ${CMAKE_COMMAND} -DWEB=${PROJECT_SOURCE_DIR}/web -DCODE=${INK_HTML_CODE} -DOUTPUT=${INK_HTML_PAGE}
          -P ${PROJECT_SOURCE_DIR}/cmake/html.cmake
  DEPENDS ${INK_HTML_CODE} web/export/index.html web/export/page.js web/paper.js web/style.css web/icon.svg cmake/html.cmake
  VERBATIM)
target_sources(inkling PRIVATE ${INK_HTML_PAGE})
target_compile_definitions(inkling PRIVATE INK_HTML=1)
