/** The tfjs backend's name. */
export const nativeBackendName = "native";
