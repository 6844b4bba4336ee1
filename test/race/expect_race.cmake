# Passes only if PROGRAM ends as TSan ends a program with a data race.
execute_process(COMMAND ${PROGRAM} RESULT_VARIABLE status
                OUTPUT_VARIABLE output ERROR_VARIABLE output)
if(NOT status EQUAL 66)
  message(FATAL_ERROR "exit status ${status}, want TSan's 66:\n${output}")
endif()
if(NOT output MATCHES "ThreadSanitizer: data race")
  message(FATAL_ERROR "no data race was reported:\n${output}")
endif()
