# The addon of the backend `cuda`. nvcc compiles device code only, by commands of our own: CMake's support of the language
# wants a toolkit as NVIDIA's installers leave it, and the Python wheels are none.
set(CUDA_NVCC "" CACHE FILEPATH "nvcc")
set(CUDA_INCLUDES "" CACHE STRING "folders of cuda_runtime.h and its like")
set(CUDA_CUDART_STATIC "" CACHE FILEPATH "libcudart_static.a")
set(CUDA_FLAGS "" CACHE STRING "flags of nvcc: architectures")
include(cmake/cuda_sources.cmake)

set(INCLUDE_FLAGS "")
foreach(folder ${CMAKE_CURRENT_SOURCE_DIR}/cuda ${CMAKE_CURRENT_SOURCE_DIR}/cpp ${CUDA_INCLUDES})
  list(APPEND INCLUDE_FLAGS -I${folder})
endforeach()
set(CUDA_OBJECTS "")
foreach(source ${CUDA_DEVICE_SOURCES})
  file(RELATIVE_PATH name ${CMAKE_CURRENT_SOURCE_DIR}/cuda ${source})
  string(REPLACE "/" "_" name ${name})
  set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.o)
  # -MT: Ninja takes a file of dependencies for stale that names its output otherwise than the build does, and compiles all anew.
  add_custom_command(
    OUTPUT ${object}
    COMMAND ${CUDA_NVCC} -c ${source} -o ${object} -ccbin ${CMAKE_CXX_COMPILER} -std=c++17 -O3 ${CUDA_FLAGS}
            -Xcompiler -fPIC,-fvisibility=hidden ${INCLUDE_FLAGS} -MD -MT ${name}.o -MF ${object}.d
    DEPENDS ${source}
    DEPFILE ${object}.d
    COMMENT "nvcc ${name}"
    VERBATIM)
  list(APPEND CUDA_OBJECTS ${object})
endforeach()

add_library(metastate_cuda MODULE ${CUDA_HOST_SOURCES} ${CUDA_OBJECTS})
target_include_directories(metastate_cuda PRIVATE cuda cpp)
target_include_directories(metastate_cuda SYSTEM PRIVATE ${CUDA_INCLUDES})
metastate_addon(metastate_cuda)
target_link_libraries(metastate_cuda PRIVATE ${CUDA_CUDART_STATIC} rt)
target_link_options(metastate_cuda PRIVATE -Wl,--exclude-libs,ALL)
