/** Starts to send callbacks in this process. */
import type { Platform } from '../../../platform/platform.js';
import type { Worker } from '../../../platform/subgraph.js';
import { CallbackAttemptStore } from '../store/callback-attempts.js';
import { CallbackAddresses } from './addresses.js';
import { CallbackDeliverer } from './deliverer.js';
import { CallbackSender } from './sender.js';

/** @returns undefined where the installation has nothing to sign with: callbacks wait until it has */
export function startCallbacks({ postgres, config, clock, logger }: Platform): Worker | undefined {
  if (config.apiKeySecret === undefined) {
    logger.warn('API_KEY_SECRET is not set, so callbacks of jobs cannot be signed and are not sent');
    return undefined;
  }
  const deliverer = new CallbackDeliverer({
    postgres,
    attempts: new CallbackAttemptStore(postgres, config.apiKeySecret),
    sender: new CallbackSender(new CallbackAddresses(config.callbackAllowedAddresses)),
    clock,
    logger,
  });
  return { name: 'job-callbacks', stop: (deadlineMs) => deliverer.stop(deadlineMs) };
}
