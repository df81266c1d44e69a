/** The bounds of a fleet. They are a part of LIMITS, by which name everybody reads them. */
export const FLEET_LIMITS = {
  /** Milliseconds for which what an instance has said holds in the engine: its membership, and its permits. */
  fleetTtlMs: 15_000,
  /** Milliseconds between two words of an instance: two may be lost before the third is too late. */
  fleetRenewMs: 5_000,
  /** Parts that a cap is handed out in: few enough to need few words, and enough for as many instances as are usual. */
  fleetChunksMax: 16,
  /** Connections that a cap may allow: more than the sockets of any upstream. */
  fleetCapMax: 1_000_000,
  /** Instances that a fleet may have; each hears of all. */
  fleetInstancesMax: 1_024,
  /** Bytes of the secret at the least: as many as its HMAC has. */
  fleetSecretBytesMin: 32,
} as const
