/** The periods as the graph names them; analytics and jobs take them. */
import 'reflect-metadata';
import { registerEnumType } from 'type-graphql';

export const Period = { P_1H: 'P_1H', P_6H: 'P_6H', P_24H: 'P_24H', P_7D: 'P_7D', P_30D: 'P_30D' } as const;
registerEnumType(Period, {
  name: 'Period',
  description: 'A length of time that ends now; of events, with the running minute.',
  valuesConfig: {
    P_1H: { description: 'The last hour.' },
    P_6H: { description: 'The last 6 hours.' },
    P_24H: { description: 'The last 24 hours.' },
    P_7D: { description: 'The last 7 days.' },
    P_30D: { description: 'The last 30 days.' },
  },
});
