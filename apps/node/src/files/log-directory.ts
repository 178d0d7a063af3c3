/** The directory in a data directory that holds the log of the node's group. */
export const LOG_DIRECTORY = 'log';
