/** As tfjs knows the backend. */
export const cudaBackendName = "cuda";
