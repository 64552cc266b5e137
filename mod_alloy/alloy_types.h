/**
 * @file alloy_types.h
 * @brief The interface's version and the types that its headers share.  Read
 * through alloy.h.
 */
#ifndef ALLOY_TYPES_H
#define ALLOY_TYPES_H

/*
 * 1.0  first version
 */
#define ALLOY_API_MAJOR 1       /* raised when a built plugin would break */
#define ALLOY_API_MINOR 0       /* raised when something is added */

#define ALLOY_DECLARE(type) __attribute__((visibility("default"))) type
#define ALLOY_DECLARE_DATA  __attribute__((visibility("default")))

/** One run of one operation for one caller, from whatever front. */
typedef struct alloy_call_t alloy_call_t;
typedef struct alloy_problem_t alloy_problem_t;
typedef struct alloy_row_t alloy_row_t;
typedef struct alloy_rows_t alloy_rows_t;
typedef struct alloy_out_t alloy_out_t;
typedef struct alloy_param_t alloy_param_t;
typedef struct alloy_shape_t alloy_shape_t;
typedef struct alloy_statement_t alloy_statement_t;
typedef struct alloy_resource_t alloy_resource_t;
typedef struct alloy_operation_t alloy_operation_t;

#endif
