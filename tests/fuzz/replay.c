/* Runs a fuzz target over the files of the folders or the files named on the
 * command line, without libFuzzer: that is how each run of the unit tests
 * replays the seeds. Fails when there is nothing to replay.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <apr_file_info.h>
#include <apr_file_io.h>
#include <apr_general.h>
#include <apr_pools.h>
#include <apr_strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Feeds one file to the target; returns 1, or 0 when it can't be read. */
static int replay_file(const char *path, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_file_t *file;
    char *data;
    apr_size_t size;

    if (apr_file_open(&file, path, APR_READ | APR_BINARY, 0, pool)
            != APR_SUCCESS
        || apr_file_info_get(&info, APR_FINFO_SIZE, file) != APR_SUCCESS) {
        return 0;
    }
    size = (apr_size_t)info.size;
    data = malloc(size > 0 ? size : 1); /* bounds that a sanitizer sees */
    if (data == NULL
        || (size > 0 && apr_file_read_full(file, data, size, NULL))) {
        free(data);
        return 0;
    }
    LLVMFuzzerTestOneInput((const uint8_t *)data, size);
    free(data);
    return 1;
}

/* Feeds a folder's files, or the one file, to the target; returns how many. */
static int replay(const char *path, apr_pool_t *pool)
{
    apr_finfo_t info;
    apr_dir_t *folder;
    int count = 0;

    if (apr_dir_open(&folder, path, pool) != APR_SUCCESS) {
        return replay_file(path, pool);
    }
    while (apr_dir_read(&info, APR_FINFO_NAME, folder) == APR_SUCCESS) {
        if (info.name[0] != '.') {
            count += replay_file(apr_pstrcat(pool, path, "/", info.name, NULL),
                                 pool);
        }
    }
    apr_dir_close(folder);
    return count;
}

int main(int argc, char **argv)
{
    apr_pool_t *pool;
    int status = EXIT_SUCCESS;
    int i;

    if (argc < 2 || apr_initialize() != APR_SUCCESS
        || apr_pool_create(&pool, NULL) != APR_SUCCESS) {
        fprintf(stderr, "Usage: %s folder-or-file ...\n", argv[0]);
        return EXIT_FAILURE;
    }
    for (i = 1; i < argc; i++) {
        int count = replay(argv[i], pool);

        printf("%s: %d replayed\n", argv[i], count);
        if (count == 0) {
            status = EXIT_FAILURE;
        }
    }
    apr_pool_destroy(pool);
    apr_terminate();
    return status;
}
